"""LinUCB's estimates are those of ridge regression, and it learns which arm suits a context."""

import torch

from lit_models.rl.linucb import LinUCB


def test_an_arm_has_the_weights_of_ridge_regression() -> None:
    torch.manual_seed(0)
    player, x, y = LinUCB(1, 2, 3, alpha=0.0), torch.randn(20, 3).double(), torch.randn(20).double()
    for row, target in zip(x, y, strict=True):
        player.update(row[None], torch.tensor([1]), target[None])
    ridge = torch.linalg.solve(x.T @ x + torch.eye(3).double(), x.T @ y)
    probe = torch.randn(1, 3).double()
    torch.testing.assert_close(player.scores(probe)[0, 1], (probe @ ridge)[0])
    assert float(player.scores(probe)[0, 0]) == 0.0


def test_it_learns_which_arm_suits_a_context() -> None:
    torch.manual_seed(0)
    theta = torch.randn(50, 4, 3).double()
    player, late = LinUCB(50, 4, 3), []
    for _ in range(300):
        x = torch.randn(50, 3).double()
        truth = torch.einsum("rkd,rd->rk", theta, x)
        arm = player.scores(x).argmax(1)
        gained = truth.gather(1, arm[:, None])[:, 0]
        player.update(x, arm, gained + 0.1 * torch.randn(50).double())
        late.append(float((truth.amax(1) - gained).mean()))
    assert sum(late[-50:]) < 0.1 * sum(late[:50])
