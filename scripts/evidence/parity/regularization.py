"""Mixtures, attacks, calibration and codes against torchvision, torchmetrics, scikit-learn and formulas in NumPy."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import orthogonal_mp
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_calibration_error
from torchvision.transforms import v2

from lit_models.functional.attacks import fgsm, pgd
from lit_models.functional.calibration import calibration_error
from lit_models.functional.pursuit import orthogonal_matching_pursuit
from lit_models.regularization.adversarial import LitRobustLeNet
from lit_models.regularization.mixing import boxes, mix
from scripts.evidence.verify import Check, Tensors

WEIGHT = 0.375  # of the mixture: exact in every precision


class Drawn:
    """A distribution of one number, in the place of torchvision's Beta."""

    def sample(self, shape: tuple[int, ...]) -> Tensor:
        return torch.tensor(WEIGHT, dtype=torch.float64)


def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(6, 3, 12, 20, generator=generator, dtype=torch.float64), torch.tensor([3, 1, 4, 1, 0, 2])


def in_turn(rows: int) -> Tensor:
    """Each sample is mixed with the one before it, as torchvision does."""
    return torch.arange(rows).roll(1)


def one_hot(y: Tensor) -> Tensor:
    return F.one_hot(y, 5).double()


def our_mixup() -> Tensors:
    x, y = images()
    weight = torch.full((len(x),), WEIGHT, dtype=torch.float64)
    return {"images": mix(x, weight, in_turn(len(x))), "targets": mix(one_hot(y), weight, in_turn(len(x)))}


def torchvision_mix(kind: type, turned: bool = False) -> Tensors:
    x, y = images()
    transform: Any = kind(num_classes=5)
    transform._dist = Drawn()
    mixed, target = transform(x, y)
    if turned:  # the target of the other sample
        target = target.roll(-1, 0)
    return {"images": mixed, "targets": target.double()}


def our_cutmix(area: bool = True) -> Tensors:
    x, y = images()
    place = [torch.randint(size, (1,)) for size in (x.shape[-1], x.shape[-2])]  # torchvision's draws
    center = torch.cat([(p + 0.5) / size for p, size in zip(place, (x.shape[-1], x.shape[-2]), strict=True)])
    inside = boxes(torch.full((len(x),), WEIGHT, dtype=torch.float64), center.expand(len(x), 2), *x.shape[-2:])
    order = in_turn(len(x))
    stays = 1 - inside.double().mean((1, 2)) if area else torch.full((len(x),), WEIGHT, dtype=torch.float64)
    return {
        "images": torch.where(inside[:, None], x[order], x),
        "targets": mix(one_hot(y), stays, order),
    }


# -- attacks --------------------------------------------------------------------------------------------------------


def robust_lenet() -> tuple[Any, Tensor, Tensor]:
    torch.manual_seed(2)
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(3, 1, 12, 12, generator=generator, dtype=torch.float64)
    return LitRobustLeNet(image_size=12, num_classes=5, activation="tanh").double().eval(), x, torch.tensor([3, 1, 4])


def our_attacks() -> Tensors:
    net, x, y = robust_lenet()

    def losses(inputs: Tensor) -> Tensor:
        return F.cross_entropy(net(inputs), y, reduction="none")

    start = 0.1 * (2 * torch.rand(x.shape, generator=torch.Generator().manual_seed(4), dtype=x.dtype) - 1)
    found = {"fgsm": fgsm(losses, x, 0.1), "pgd": pgd(losses, x, 0.1, 0.04, 5, start)}
    return found | gradients_at(net, found["pgd"], y)


def gradients_at(net: nn.Module, x: Tensor, y: Tensor) -> Tensors:
    """Of the loss at adversarial images, which a step of adversarial training takes."""
    net.zero_grad()
    F.cross_entropy(net(x), y).backward()
    return {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}


def formula_attacks(projected: bool = True) -> Tensors:
    """Madry et al.'s equation 2 and Goodfellow et al.'s section 4, image by image, in NumPy but for the gradient."""
    net, x, y = robust_lenet()

    def sign(image: np.ndarray, label: Tensor) -> np.ndarray:
        at = torch.from_numpy(image)[None].requires_grad_()
        F.nll_loss(net(at).log_softmax(1), label[None]).backward()
        assert at.grad is not None
        return np.sign(at.grad[0].numpy())

    start = 0.1 * (2 * torch.rand(x.shape, generator=torch.Generator().manual_seed(4), dtype=x.dtype) - 1)
    one, many = [], []
    for image, label, offset in zip(x.numpy(), y, start.numpy(), strict=True):
        one.append(np.clip(image + 0.1 * sign(image, label), 0, 1))
        here = np.clip(image + offset, 0, 1)
        for _ in range(5):
            here = here + 0.04 * sign(here, label)
            if projected:
                here = image + np.clip(here - image, -0.1, 0.1)
            here = np.clip(here, 0, 1)
        many.append(here)
    found = {"fgsm": torch.from_numpy(np.stack(one)), "pgd": torch.from_numpy(np.stack(many))}
    return found | gradients_at(net, found["pgd"], y)


# -- calibration and codes ------------------------------------------------------------------------------------------


def predictions() -> tuple[Tensor, Tensor]:
    logits = 3 * torch.randn(500, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return logits.softmax(1), torch.arange(500) % 4


def our_calibration(**settings: Any) -> Tensors:
    p, y = predictions()
    return {f"{bins} bins": calibration_error(p, y, bins, **{"equal_mass": False, **settings}) for bins in (1, 10, 15)}


def torchmetrics_calibration() -> Tensors:
    p, y = predictions()
    return {
        f"{bins} bins": multiclass_calibration_error(p, y, num_classes=4, n_bins=bins).double() for bins in (1, 10, 15)
    }


def signals() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(8)
    dictionary = F.normalize(torch.randn(30, 16, generator=generator, dtype=torch.float64), dim=1)
    return dictionary, torch.randn(7, 16, generator=generator, dtype=torch.float64)


def our_codes() -> Tensors:
    return {"codes": orthogonal_matching_pursuit(*signals(), 5)}


def scikit_codes() -> Tensors:
    dictionary, x = signals()
    return {"codes": torch.from_numpy(orthogonal_mp(dictionary.T.numpy(), x.T.numpy(), n_nonzero_coefs=5).T.copy())}


def without_fitting_anew() -> Tensors:
    """Mallat and Zhang's matching pursuit: coefficients stay as they were taken."""
    dictionary, x = signals()
    codes, left = torch.zeros(len(x), len(dictionary), dtype=torch.float64), x.clone()
    for _ in range(5):
        scores = left @ dictionary.T
        best = scores.abs().argmax(1, keepdim=True)
        codes.scatter_add_(1, best, scores.gather(1, best))
        left = x - codes @ dictionary
    return {"codes": codes}


NO_GRADIENT = "gradients: of data there are none"


def check(name: str, claim: str, package: str, *three: Callable[[], Tensors], mistake: str, **more: Any) -> Check:
    ours, reference, control = three
    return Check(f"regularization/{name}", claim, package, ours, reference, control, mistake, **more)


CHECKS = [
    check(
        "mixup",
        "mixup against torchvision's v2.MixUp at the same weight and order",
        "torchvision",
        our_mixup,
        partial(torchvision_mix, v2.MixUp),
        partial(torchvision_mix, v2.MixUp, turned=True),
        mistake="the target of the other sample",
        without=NO_GRADIENT,
    ),
    check(
        "cutmix",
        "CutMix against torchvision's v2.CutMix at the same rectangle and order",
        "torchvision",
        our_cutmix,
        partial(torchvision_mix, v2.CutMix),
        partial(our_cutmix, area=False),
        mistake="the target has the weight that was drawn, not the area after the cut at the edge",
        tolerance=1e-7,
        why="torchvision's targets are float32",
        without=NO_GRADIENT,
    ),
    check(
        "attacks",
        "FGSM and five steps of PGD against the papers' formulas, image by image, and the gradients there",
        "numpy",
        our_attacks,
        formula_attacks,
        partial(formula_attacks, projected=False),
        mistake="PGD without its projection to the budget",
    ),
    check(
        "calibration",
        "the expected calibration error in bins of equal width against torchmetrics",
        "torchmetrics",
        our_calibration,
        torchmetrics_calibration,
        partial(our_calibration, equal_mass=True),
        mistake="bins of equal mass",
        tolerance=1e-6,
        why="torchmetrics computes in float32",
        without=NO_GRADIENT,
    ),
    check(
        "pursuit",
        "orthogonal matching pursuit against scikit-learn's",
        "scikit-learn",
        our_codes,
        scikit_codes,
        without_fitting_anew,
        mistake="matching pursuit: coefficients are not fitted anew",
        without=NO_GRADIENT,
    ),
]
