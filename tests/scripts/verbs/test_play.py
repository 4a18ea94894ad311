"""dive play: an episode of an agent as an animation and a strip."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from PIL import Image

from common.messages import UserError
from datamodules.rl.acting import ActingDataModule
from datamodules.rl.stored_episodes import StoredEpisodes
from datamodules.rl.tabular_environments import ToyText
from lit_models.rl.control import LitControl
from lit_models.rl.decision_transformer import LitDecisionTransformer
from lit_models.rl.ppo import LitPPO
from scripts.cli import main
from scripts.verbs.play import play


class Blind(gymnasium.Env):
    """Draws nothing."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}
    observation_space, action_space = gymnasium.spaces.Box(0, 1, (4,)), gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode: str = "") -> None:
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict[str, object]]:
        return np.zeros(4, dtype=np.float32), {}


def test_a_runs_episode_is_an_animation_and_a_strip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path))
    small = ["--data.num_envs", "2", "--data.rollouts", "1", "--data.passes", "1", "--data.eval_episodes", "1"]
    assert main(["fit", "rl/ppo", *small, "--data.max_steps", "15", "--trainer.max_epochs", "1"]) == 0
    assert main(["play", "rl/ppo", "--pictures", "3", "--out", str(tmp_path / "episode")]) == 0
    assert "an episode of CartPole-v1: " in capsys.readouterr().out
    strip, animation = Image.open(tmp_path / "episode.png"), Image.open(tmp_path / "episode.gif")
    assert strip.size == (720, 160) and animation.size == (600, 400) and 5 < animation.n_frames <= 16  # type: ignore[attr-defined]
    assert main(["play", "rl/ppo", "--pictures", "0"]) == 2
    for words, says in {
        "--seed -1": "--seed is -1: give a whole number of at least 0",
        f"--out {tmp_path}/none/x": "there is no folder",
        "--run": "--run needs a value",
    }.items():
        assert main(["play", "rl/ppo", *words.split()]) == 2
        assert says in capsys.readouterr().err


def test_an_agent_with_a_table_plays_too() -> None:
    frames, earned, _ = play(LitControl(num_runs=1), ToyText(num_runs=1, max_steps=4), 0, 10)
    assert len(frames) == 5 and earned == -4.0


def test_a_model_of_stored_episodes_is_asked_for_the_largest_return_less_what_it_earned() -> None:
    model = LitDecisionTransformer(max_steps=6, hidden_size=8, num_layers=1)
    frames, earned, _ = play(model, StoredEpisodes(max_steps=6, asked=(50.0, 3.0)), 0)
    assert earned == len(frames) - 1 == 6 and model.memory is not None
    assert [float(asked) for asked in model.memory.to_go] == [50.0 - k for k in range(7)]


def test_what_cannot_be_drawn_or_has_no_end_is_one_line() -> None:
    if "Blind-v0" not in gymnasium.registry:
        gymnasium.register("Blind-v0", Blind)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="Blind-v0 has no pictures"):
        play(LitPPO(), ActingDataModule(env_id="Blind-v0"), 0)
    with pytest.raises(UserError, match="has no end"):
        play(LitPPO(), ActingDataModule(), 0, longest=2)
