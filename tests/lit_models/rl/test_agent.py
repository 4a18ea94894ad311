"""What every agent counts."""

import pytest
import torch

from lit_models.rl.ppo import LitPPO


def test_returns_are_a_moving_mean_and_frames_are_counted() -> None:
    agent = LitPPO()
    agent.stepped(8, torch.zeros(0))
    agent.stepped(8, torch.tensor([10.0, 30.0]))
    assert float(agent.online) == 20.0 and int(agent.frames) == 16
    agent.stepped(0, torch.full((18,), 20.0))
    agent.stepped(0, torch.tensor([40.0]))
    assert abs(float(agent.online) - 21.0) < 1e-9


def test_frames_are_those_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process has the first one's buffers, so that its own steps alone would be counted."""
    monkeypatch.setattr("lit_models.rl.agent.rank_and_world", lambda _: (0, 2))
    agent = LitPPO()
    agent.stepped(8, torch.zeros(0))
    assert int(agent.frames) == 16
