"""Who acts: an evaluation's episodes, what a model can take, and what is saved."""

import pytest
import torch

from callbacks.ranks import interleave
from common.messages import UserError
from datamodules.rl.acting import ActingDataModule
from datamodules.rl.steps import Steps
from datamodules.rl.vector_environments import VectorEnvironments
from lit_models.rl.dqn import LitDQN


def data(model: object, rank: int = 0, **arguments: object) -> ActingDataModule:
    made = ActingDataModule(**arguments)  # type: ignore[arg-type]
    trainer = {"lightning_module": model, "global_rank": rank, "world_size": 2}
    made.trainer = type("T", (), trainer)()  # type: ignore[assignment]
    return made


class Stands:
    """Pushes to one side, and counts."""

    device, dtype = "cpu", torch.float32
    frames, forgotten = 0, 0

    def act(self, observation: torch.Tensor, greedy: bool) -> torch.Tensor:
        return torch.zeros(len(observation), dtype=torch.long)

    def stepped(self, frames: int, returns: torch.Tensor) -> None:
        self.frames += frames

    def forget_episodes(self) -> None:
        self.forgotten += 1


def test_an_evaluation_is_one_greedy_episode_of_each_environment_from_the_same_states() -> None:
    class Leans:
        device, dtype = "cpu", torch.float32

        def act(self, observation: torch.Tensor, greedy: bool) -> torch.Tensor:
            assert greedy
            return (observation[:, 2] > 0).long()

    made = data(Leans(), eval_episodes=6, max_steps=45)
    (returns, lengths), again = made.episodes(), made.episodes()
    assert torch.equal(returns, lengths) and torch.equal(returns, again[0])
    assert not torch.equal(returns, made.episodes(2)[0])  # those of a test
    assert 20 < float(returns.min()) < float(returns.max()) <= 45


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_observations_have_the_type_of_the_model_and_actions_that_of_numpy(dtype: torch.dtype) -> None:
    class Typed:
        device = "cpu"

        def act(self, observation: torch.Tensor, greedy: bool) -> torch.Tensor:
            assert observation.dtype == dtype
            return observation[:, :1]

    model = Typed()
    model.dtype = dtype  # type: ignore[attr-defined]
    made = data(model, env_id="Pendulum-v1", eval_episodes=2, max_steps=3)
    assert made.act(torch.zeros(2, 3)).dtype == torch.float32 and made.episodes()[1].tolist() == [3, 3]


def test_evaluations_of_neighboring_seeds_have_no_first_state_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Sees(Stands):
        def act(self, observation: torch.Tensor, greedy: bool) -> torch.Tensor:
            seen.append(observation)
            return super().act(observation, greedy)

    for seed in ("0", "1"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        for split in (1, 2):
            data(Sees(), env_id="Acrobot-v1", max_steps=1).episodes(split)  # its copies have a seed each
    assert len(torch.cat(seen).unique(dim=0)) == 4 * 20


def test_processes_predict_the_rows_of_one_process_in_turn() -> None:
    parts = [next(iter(data(Stands(), rank, eval_episodes=5).predict_dataloader())) for rank in (0, 1)]
    whole = data(Stands(), eval_episodes=5).episodes(3)
    assert [len(part[0]) for part in parts] == [3, 2]
    assert all(torch.equal(interleave(rows), one) for *rows, one in zip(*parts, whole, strict=True))


def test_after_a_resume_environments_that_cannot_be_restored_begin_episodes_that_were_not_seen_yet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(VectorEnvironments, "can_be_saved", lambda _: False)
    model = Stands()
    trainer = data(model).trainer

    def run(state: dict[str, object] | None = None) -> tuple[torch.Tensor, dict[str, object]]:
        steps = Steps(num_envs=2, batch_size=2)
        steps.trainer = trainer
        if state:
            steps.load_state_dict(state)
        first = steps.ready().observation
        steps.collect()
        return first, steps.state_dict()

    first, state = run()
    second, state = run(state)
    assert "cannot be restored: new episodes begin" in capsys.readouterr().err and model.forgotten == 1
    third, _ = run(state)
    assert len(torch.cat([first, second, third]).unique(dim=0)) == 6
    assert torch.equal(run()[0], first)  # a new run


def test_another_number_of_environments_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (Steps(num_envs=count, batch_size=2) for count in (2, 3))
    one.trainer = two.trainer = data(Stands()).trainer
    one.collect()
    two.load_state_dict(one.state_dict())
    assert two.collect()[0].shape == (2, 3, 4)
    assert "the run had 2 environments, data.num_envs is 3: begun anew" in capsys.readouterr().err


def test_actions_that_the_model_cannot_take_are_named_with_the_model() -> None:
    with pytest.raises(UserError, match=r"LitDQN takes Discrete actions, but data.env_id Pendulum-v1 has Box"):
        data(LitDQN(num_features=3, num_actions=1), env_id="Pendulum-v1").setup("fit")


def test_sizes_come_from_the_environment() -> None:
    sizes = ActingDataModule.infer(0, 0, False, "Pendulum-v1", None)
    assert sizes == {"num_features": 3, "num_actions": 1, "continuous": True}


def test_without_environments_nothing_is_saved() -> None:
    assert data(None).state_dict() == {"ranks": [{}]}
