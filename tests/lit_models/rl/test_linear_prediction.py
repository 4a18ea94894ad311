"""Linear values: Baird's counterexample, its cure, and the least-squares solution."""

import torch

from lit_models.rl.linear_prediction import baird, lstd, td_update, tdc_update


def test_td_diverges_on_bairds_counterexample_off_policy_and_not_on_policy() -> None:
    """Sutton and Barto, figure 11.2: the target policy always goes to the seventh state."""
    x, reached, w = baird()
    zero, one = torch.zeros(7, dtype=torch.float64), torch.ones(7, dtype=torch.float64)
    for _ in range(1000):
        w = w + 0.01 * td_update(w, x, zero, reached, 0.99, one)
    assert float(w.abs().max()) > 100
    x, reached, w = baird()
    weight = torch.tensor([0.0] * 6 + [7.0], dtype=torch.float64)  # the states that the target policy visits
    for _ in range(20_000):
        w = w + 0.05 * td_update(w, x, zero, reached, 0.99, weight)
    assert abs(float((x @ w)[6])) < 0.1


def test_gradient_correction_makes_the_projected_bellman_error_zero() -> None:
    x, reached, w = baird()
    v, zero, one = torch.zeros_like(w), torch.zeros(7, dtype=torch.float64), torch.ones(7, dtype=torch.float64)

    def projected(w: torch.Tensor) -> float:
        delta = 0.99 * reached @ w - x @ w
        return float((x @ torch.linalg.lstsq(x, delta[:, None], driver="gelsd").solution).square().mean())

    before = projected(w)
    for _ in range(4000):
        move, second = tdc_update(w, v, x, zero, reached, 0.99, one)
        w, v = w + 0.02 * move, v + 0.2 * second
    assert projected(w) < 1e-2 * before and float(w.abs().max()) < 20


def test_least_squares_gives_the_values_of_the_walk_and_is_where_td_rests() -> None:
    """Five states, half to each side: 1/6 to 5/6 (Sutton and Barto, example 6.2)."""
    left, right = torch.arange(-1, 4), torch.arange(1, 6)
    eye = torch.eye(7, dtype=torch.float64)[:, 1:6]
    x = eye[1:6].repeat(2, 1)
    reached, reward = eye[torch.cat([left, right]) + 1], torch.zeros(10, dtype=torch.float64)
    reward[9] = 1.0
    w = lstd(x, reward, reached, 1.0)
    torch.testing.assert_close(w, torch.arange(1, 6).double() / 6)
    features = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None].pow(torch.arange(2))  # fewer than states
    x, reached = x @ features, reached @ features
    w = lstd(x, reward, reached, 0.9)
    assert float(td_update(w, x, reward, reached, 0.9, torch.ones(10, dtype=torch.float64)).abs().max()) < 1e-12
