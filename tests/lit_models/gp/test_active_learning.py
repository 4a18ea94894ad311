"""Active learning: the largest variance beats chance, with as many labels."""

import torch
from torch import Tensor

from datamodules.synthetic.two_sines import two_sines
from lit_models.gp.active_learning import choose, label
from lit_models.gp.exact import ExactGP


def pool() -> tuple[Tensor, Tensor]:
    """Most rows are in the first fifth of the line: chance looks there again and again."""
    generator = torch.Generator().manual_seed(0)
    x = 5 * torch.rand(300, 1, generator=generator, dtype=torch.float64) ** 4
    return x, two_sines(x[:, 0]) + 0.05 * torch.randn(300, generator=generator, dtype=torch.float64)


def process() -> ExactGP:
    return ExactGP(kernel=[{"rbf": {"length_scale": 0.5}}], noise=0.05, standardize=False)


def error(strategy: str, seed: int) -> float:
    gp, (x, y) = process(), pool()
    labeled = label(gp, x, y, 15, strategy, seed)  # type: ignore[arg-type]
    assert int(labeled.sum()) == 15 and len(gp.x) == 15
    line = torch.linspace(0, 5, 200, dtype=torch.float64)[:, None]
    line = line[line[:, 0] < x.max()]
    return float((gp(line)[0].detach() - two_sines(line[:, 0])).square().mean().sqrt())


def test_it_beats_random_labelling_with_as_many_labels() -> None:
    active, chance = (torch.tensor([error(s, seed) for seed in range(8)]) for s in ("variance", "random"))
    assert bool((active < chance).float().mean() > 0.8)
    assert float(active.mean()) < 0.5 * float(chance.mean())


def test_the_chosen_row_is_far_from_all_labels_and_never_a_labeled_one() -> None:
    gp, x = process(), torch.tensor([[0.0], [0.1], [4.0], [0.2]]).double()
    labeled = torch.tensor([True, True, False, False])
    gp.remember(x[labeled], torch.tensor([0.0, 1.0]))
    assert choose(gp.eval(), x, labeled) == 2
    assert choose(gp, x, torch.tensor([True, True, True, False]), "random") == 3
