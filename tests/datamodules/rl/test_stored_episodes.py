"""Stored episodes: their returns, their windows, a person's own file, and every way in which it can be wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from callbacks.ranks import interleave
from common.messages import UserError
from datamodules.rl.stored_episodes import StoredEpisodes


def small(**arguments: Any) -> StoredEpisodes:
    return StoredEpisodes(**({"num_episodes": 30, "num_windows": 50, "max_steps": 40, "window_steps": 6} | arguments))


def stored(path: Path, **changed: Any) -> str:
    """Two episodes of CartPole, the first of 3 steps, the second cut after 2."""
    arrays = {
        "observations": np.arange(20, dtype=np.float32).reshape(5, 4),
        "actions": np.array([0, 1, 1, 0, 1]),
        "rewards": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
        "terminals": np.array([0, 0, 1, 0, 0], dtype=bool),
    }
    arrays = {name: value for name, value in (arrays | changed).items() if value is not None}
    np.savez(path / "episodes.npz", **arrays)
    return str(path / "episodes.npz")


def test_made_episodes_are_good_and_poor_and_always_the_same() -> None:
    data = small()
    episodes = data.episodes()
    lengths = torch.tensor([len(rewards) for *_, rewards in episodes])
    assert len(episodes) == 30 and int(lengths.min()) < 20 and int(lengths.max()) == 40
    again = (part for episode in small().episodes() for part in episode)
    assert all(map(torch.equal, again, (part for episode in episodes for part in episode)))


def test_a_window_has_returns_to_go_and_is_padded_at_its_end(tmp_path: Path) -> None:
    data = small(path=stored(tmp_path), window_steps=2)
    first, second = data.episodes()
    to_go, observation, action, step, target = data.window(first, 1)
    assert to_go.tolist() == [5.0, 3.0] and step.tolist() == [1, 2] and target.tolist() == [1, 1]
    assert action.tolist() == [[0, 1], [0, 1]] and observation[0].tolist() == [4, 5, 6, 7]
    to_go, observation, action, step, target = data.window(second, 1)
    assert to_go.tolist() == [5.0, 0.0] and target.tolist() == [1, -1] and not bool(observation[1].any())
    assert not bool(action[1].any()) and step.tolist() == [1, 2]


def test_time_limits_cut_episodes_too(tmp_path: Path) -> None:
    cut = np.array([1, 0, 0, 0, 1], dtype=bool)
    data = small(path=stored(tmp_path, timeouts=cut))
    assert [len(rewards) for *_, rewards in data.episodes()] == [1, 2, 2]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"actions": None}, "lacks actions"),
        ({"rewards": np.zeros(4)}, "unequal lengths"),
        ({"observations": np.zeros((5, 3))}, "observations of 3 numbers, CartPole-v1 has 4"),
        ({"observations": np.zeros(5)}, "observations of 1 numbers, CartPole-v1 has 4"),
        ({"actions": np.array([0, 1, 2, 0, 1])}, "actions of size 3, CartPole-v1 has 2"),
        ({"rewards": np.array([1.0, np.nan, 0, 0, 0])}, "not finite"),
        ({"actions": np.array([0, -1, 1, 0, 1])}, "an action is -1"),
        ({"actions": np.array(list("abcde"))}, "actions of shape .5,. and type <U1: give numbers"),
        ({"rewards": np.float32(3)}, "rewards of shape .. and type float32"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(changed: dict[str, Any], word: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=word):
        small(path=stored(tmp_path, **changed)).episodes()


def pendulum(path: Path, *actions: float) -> StoredEpisodes:
    taken = np.array(actions)[:, None]
    return small(path=stored(path, observations=np.zeros((5, 3)), actions=taken), env_id="Pendulum-v1")


def test_continuous_actions_are_scaled_by_their_limits_as_the_environment_takes_the_models(tmp_path: Path) -> None:
    data = pendulum(tmp_path, 2.0, -2.0, 0.0, 1.0, 0.5)
    actions = torch.cat([action for _, action, _ in data.episodes()])
    assert actions.tolist() == [[1.0], [-1.0], [0.0], [0.5], [0.25]]
    assert data.make(5, 0).actions(actions)[:, 0].tolist() == [2.0, -2.0, 0.0, 1.0, 0.5]
    for wrong in (2.5, float("nan")):
        with pytest.raises(UserError, match=r"an action is outside of Pendulum-v1's Box\(-2.0, 2.0"):
            pendulum(tmp_path, 0.0, 0.0, wrong, 0.0, 0.0).episodes()


def test_states_that_are_numbers_become_one_hot(tmp_path: Path) -> None:
    numbers = np.array([0, 1, 15, 4, 8])
    data = small(path=stored(tmp_path, observations=numbers), env_id="FrozenLake-v1")
    observations = torch.cat([observation for observation, *_ in data.episodes()])
    assert torch.equal(observations, torch.eye(16)[numbers])
    for wrong in (16, -1, 0.5):
        path = stored(tmp_path, observations=np.array([0, 1, wrong, 4, 8]))
        with pytest.raises(UserError, match=r"an observation is not in FrozenLake-v1's Discrete\(16\)"):
            small(path=path, env_id="FrozenLake-v1").episodes()


def test_other_wrong_arguments_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(UserError, match="can be read"):
        small(path=str(tmp_path / "text.npz")).episodes()
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "cut.npz").write_bytes(Path(stored(tmp_path)).read_bytes()[:300])
    np.save(tmp_path / "one.npy", np.zeros(3))
    for name in ("empty.npz", "cut.npz", "one.npy"):
        with pytest.raises(UserError, match=r"not a .npz file"):
            small(path=str(tmp_path / name)).episodes()
    with pytest.raises(UserError, match=r"an episode has 3 steps: give --data.max_steps"):
        small(path=stored(tmp_path), max_steps=2).episodes()
    with pytest.raises(UserError, match=r"give --data.path"):
        small(env_id="Acrobot-v1")
    with pytest.raises(UserError, match=r"data.window_steps is 0"):
        small(window_steps=0)
    with pytest.raises(UserError, match=r"data.asked"):
        small(asked=())


class Player:
    """Pushes the cart to the side that the pole falls to if much is asked for, else always to one side."""

    device, global_rank, world_size = torch.device("cpu"), 0, 2

    def begin(self, asked: torch.Tensor) -> None:
        self.asked, self.rewards = asked, torch.zeros(len(asked))

    def act(self, observation: torch.Tensor) -> torch.Tensor:
        return torch.where(self.asked > 20, (observation[:, 2] + observation[:, 3] > 0).long(), 1)

    def earned(self, reward: torch.Tensor) -> None:
        self.rewards += reward

    @property
    def lightning_module(self) -> "Player":
        return self


def test_an_evaluation_asks_acts_and_says_what_the_first_episode_of_each_environment_has_earned() -> None:
    data, player = small(asked=(10.0, 30.0), eval_episodes=3), Player()
    data.trainer = player  # type: ignore[assignment]
    (batch,) = data.test_dataloader()
    asked, got, length = batch
    assert asked.tolist() == player.asked.tolist() == [10.0] * 3 + [30.0] * 3
    assert bool((got[:3] < 15).all()) and got[3:].tolist() == [40.0] * 3  # to the limit of steps
    assert got.tolist() == length.tolist() and bool((player.rewards >= got).all())


def test_evaluations_of_neighboring_seeds_have_no_first_state_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    data, player = small(path="not read", env_id="Acrobot-v1", eval_episodes=5, max_steps=1), Player()
    act = player.act
    player.act = lambda observation: (seen.append(observation), act(observation))[1]  # type: ignore[method-assign,func-returns-value]
    data.trainer = player  # type: ignore[assignment]
    for seed in ("0", "1"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        data.acted(1), data.acted(2)
    assert len(torch.cat(seen).unique(dim=0)) == 4 * 20


def test_processes_predict_the_rows_of_one_process_in_turn() -> None:
    parts = []
    for rank in (0, 1):
        data, player = small(asked=(10.0, 30.0), eval_episodes=3), Player()
        data.trainer, player.global_rank = player, rank  # type: ignore[assignment]
        parts.append(next(iter(data.predict_dataloader())))
    assert all(torch.equal(interleave(rows), one) for *rows, one in zip(*parts, data.acted(3), strict=True))


def test_the_baseline_is_a_stored_episode_whatever_is_asked_for(tmp_path: Path) -> None:
    found = small(path=stored(tmp_path), asked=(5.0, 10.0)).baselines()["chance"]["metrics"]  # returns 6 and 9
    assert found["test/error"] == pytest.approx((1 + 4 + 4 + 1) / 4 / 10) and found["test/return"] == 7.5
