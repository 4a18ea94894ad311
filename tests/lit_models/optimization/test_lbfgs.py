"""L-BFGS: the battery; the two loops are the inverse Hessian of BFGS written out."""

from functools import partial

import torch

from lit_models.optimization.lbfgs import LBFGS, two_loops
from tests.lit_models.optimization.battery import ClosureBattery, Problem


class TestLBFGS(ClosureBattery):
    make = partial(LBFGS, history=5)
    bad = [{"lr": -1.0}, {"history": 0}]


def test_the_two_loops_are_bfgs_with_its_matrix() -> None:
    torch.manual_seed(0)
    steps = [torch.randn(4, dtype=torch.float64) for _ in range(3)]
    changes = [s * torch.tensor([1.0, 2.0, 3.0, 4.0]) + 0.1 * s.roll(1) for s in steps]
    assert all(float(s @ y) > 0 for s, y in zip(steps, changes, strict=True))
    eye = torch.eye(4, dtype=torch.float64)
    inverse = eye * (changes[-1] @ steps[-1]) / (changes[-1] @ changes[-1])
    for s, y in zip(steps, changes, strict=True):  # Nocedal and Wright 2006, equation 6.17
        rho = 1 / (y @ s)
        inverse = (eye - rho * s[:, None] * y) @ inverse @ (eye - rho * y[:, None] * s) + rho * s[:, None] * s
    gradient = torch.randn(4, dtype=torch.float64)
    torch.testing.assert_close(two_loops(gradient, steps, changes), -inverse @ gradient)


def test_no_vector_has_the_name_that_torch_never_moves_to_a_gpu() -> None:
    problem = Problem()
    optimizer = LBFGS(problem.net.parameters())
    problem.train(optimizer, 2)
    kept = [state for state in optimizer.state_dict()["state"].values() if "gradient" in state]
    assert kept and not any("step" in state for state in kept)
