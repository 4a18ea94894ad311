"""The bench of optimizers: every side takes the same step."""

from torch import nn

from scripts.evidence.benches import optimizers


def test_each_side_of_an_optimizer_takes_the_same_step() -> None:
    """``measure`` raises where the parameters differ afterwards."""
    rows = optimizers.measure(1, 1, lambda line: None, net=lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(4, 3)))
    assert [row["side"] for row in rows] == ["ours", "foreach", "fused"] * 3
    assert {row["workload"] for row in rows} <= {goal.workload for goal in optimizers.PART.goals}
