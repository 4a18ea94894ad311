"""Regularizers against torchvision, torch, torchmetrics, scikit-learn and the papers' formulas in NumPy."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import orthogonal_mp
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, update_bn
from torchmetrics.functional.classification import multiclass_calibration_error
from torchvision.transforms import v2

from callbacks.max_norm import project
from callbacks.stochastic_weight_averaging import mean_with, renew_statistics
from lit_models.functional.attacks import fgsm, pgd
from lit_models.functional.calibration import calibration_error
from lit_models.functional.pursuit import orthogonal_matching_pursuit
from lit_models.regularization.adversarial import LitRobustLeNet
from lit_models.regularization.invariance import DoubleBackprop, directional, tangents
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


# -- derivatives ----------------------------------------------------------------------------------------------------


def our_derivatives() -> Tensors:
    net, x, y = robust_lenet()
    along = directional(net, x, tangents(x)[2])
    at = x.clone().requires_grad_()
    logits = net(at)
    double = DoubleBackprop(2.0).penalty(net, at, logits, F.cross_entropy(logits, y, reduction="none"))
    loss = along.square().sum() + double
    names, weights = zip(*net.named_parameters(), strict=True)
    grads = torch.autograd.grad(loss, weights)
    found = {"along": along.detach(), "double backprop": double.detach()}  # type: ignore[union-attr]
    return found | {f"grad {name}": g for name, g in zip(names, grads, strict=True)}


def forward_derivatives(mean: bool = False) -> Tensors:
    """By torch's forward-mode derivative and its gradients of single samples.

    Args:
        mean: Differentiates the mean loss of the batch instead of each sample's.
    """
    net, x, y = robust_lenet()
    weights = dict(net.named_parameters())

    def call(w: Any, inputs: Tensor) -> Tensor:
        return torch.func.functional_call(net, w, (inputs,))

    def loss_of(w: Any, image: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(call(w, image[None]), label[None])

    def total(w: Any) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        along = torch.func.jvp(partial(call, w), (x,), (tangents(x)[2],))[1]
        each = torch.func.vmap(torch.func.grad(loss_of, 1), (None, 0, 0))(w, x, y) / (len(x) if mean else 1)
        double = each.flatten(1).square().sum(1).mean()
        return along.square().sum() + double, (along, double)

    grads, (along, double) = torch.func.grad(total, has_aux=True)(weights)
    found = {"along": along.detach(), "double backprop": double.detach()}
    return found | {f"grad {name}": g.detach() for name, g in grads.items()}


# -- weights --------------------------------------------------------------------------------------------------------


def weights() -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((6, 5), (4, 3, 3, 3))]


def our_max_norm() -> Tensors:
    found = weights()
    for weight in found:
        project(weight, 2.0)
    return {f"weight {k}": w for k, w in enumerate(found)}


def torch_max_norm(dimension: int = 0) -> Tensors:
    return {f"weight {k}": torch.renorm(w, 2, dimension, 2.0) for k, w in enumerate(weights())}


def averaged(ours: bool, renewed: bool = True) -> Tensors:
    """Weights of five epochs, their mean, and the statistics of the mean on eight batches; what it says then."""
    torch.manual_seed(6)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).double()
    batches = [(torch.randn(5, 2, 8, 8, dtype=torch.float64),) for _ in range(8)]
    average = AveragedModel(net, use_buffers=False, multi_avg_fn=mean_with if ours else None)
    for _ in range(5):
        for p in net.parameters():
            p.data += 0.3 * torch.randn_like(p)
        net(batches[0][0])
        average.update_parameters(net)
    if ours:
        renew_statistics(OneProcess(batches), Wrapped(average.module))  # type: ignore[arg-type]
    elif renewed:
        update_bn(batches, average)
    average.eval()
    x = batches[3][0].requires_grad_()
    out = average(x)
    (gradient,) = torch.autograd.grad(out.square().sum(), x)
    norm: Any = average.module[1]  # type: ignore[index]
    return {"mean": norm.running_mean, "variance": norm.running_var, "out": out.detach(), "grad": gradient}


class OneProcess:
    """What the callback reads of a trainer."""

    def __init__(self, batches: list[tuple[Tensor, ...]]) -> None:
        self.train_dataloader, self.world_size = batches, 1
        self.precision_plugin = self

    def forward_context(self) -> Any:
        return torch.enable_grad()


class Wrapped(nn.Module):
    """What the callback reads of a LightningModule."""

    device = torch.device("cpu")

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Any:
        return self.net(x)

    def _apply_batch_transfer_handler(self, batch: Any, **_: Any) -> Any:
        return batch


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
        "derivatives",
        "the derivative along a tangent and double backpropagation against forward mode and gradients by vmap",
        "torch",
        our_derivatives,
        forward_derivatives,
        partial(forward_derivatives, mean=True),
        mistake="the gradient of the mean loss in place of each sample's",
    ),
    check(
        "max_norm",
        "the projection of weights against torch.renorm",
        "torch",
        our_max_norm,
        torch_max_norm,
        partial(torch_max_norm, dimension=1),
        mistake="the norm of the weights out of a unit, not into it",
        tolerance=1e-6,
        why="torch.renorm divides by the norm plus 1e-7",
        without=NO_GRADIENT,
    ),
    check(
        "swa",
        "the mean of weights and its batch normalization against torch.optim.swa_utils and its update_bn",
        "torch",
        partial(averaged, True),
        partial(averaged, False),
        partial(averaged, False, renewed=False),
        mistake="statistics of the weights that were averaged first",
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
