"""The builder's guide against torch.nn: own blocks and layers, weights used twice, a network saved and loaded."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from lit_models.builders.blocks import FixedHidden, Parallel, Sequential
from lit_models.builders.chimera import Chimera
from lit_models.builders.custom_layers import Centered, Dense
from lit_models.builders.saving import load_into, save
from scripts.evidence.verify import Check, Tensors


def rows(n: int, features: int) -> Tensor:
    return torch.randn(n, features, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def named(y: Tensor, parameters: dict[str, Tensor]) -> Tensors:
    """The output and the gradients of its squares' sum."""
    y.square().sum().backward()
    found = {"y": y}
    for name, p in parameters.items():
        found[f"grad {name}"] = torch.zeros_like(p) if p.grad is None else p.grad
    return found


# -- a layer of one's own ---------------------------------------------------------------------------------------------


def our_dense(detached: bool = False) -> Tensors:
    dense = Dense(6, 4, detached).double()
    y = dense(Centered()(rows(5, 6)))
    y = y * nn.Parameter(torch.ones((), dtype=torch.float64))  # something to learn where the layer is detached
    return named(y, {"weight": dense.weight, "bias": dense.bias})


def torch_dense() -> Tensors:
    dense, linear = Dense(6, 4).double(), nn.Linear(6, 4).double()
    linear.load_state_dict({"weight": dense.weight.T, "bias": dense.bias})
    norm = nn.LayerNorm(6, elementwise_affine=False, eps=0.0).double()
    x = rows(5, 6)
    found = named(torch.relu(linear(norm(x) * x.std(1, correction=0, keepdim=True))), dict(linear.named_parameters()))
    return found | {"grad weight": found["grad weight"].T}


# -- blocks, and a layer used twice -----------------------------------------------------------------------------------


def parts() -> list[nn.Linear]:
    """The same four layers in both versions."""
    torch.manual_seed(0)
    return [nn.Linear(*size).double() for size in ((6, 4), (6, 2), (6, 6), (6, 3))]


def our_blocks() -> Tensors:
    left, right, shared, top = parts()
    net = Sequential(Parallel(Sequential(left, nn.ReLU()), right), shared, nn.Tanh(), shared, top)
    return named(net(rows(5, 6)), {f"{k} {name}": p for k, m in enumerate(parts_of(net)) for name, p in m})


def parts_of(net: nn.Module) -> list[list[tuple[str, Tensor]]]:
    linear = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    return [list(layer.named_parameters()) for layer in linear]


def torch_blocks(second: Callable[[nn.Linear], bool]) -> Tensors:
    left, right, shared, top = parts()
    x = rows(5, 6)
    h = torch.cat([left(x).relu(), right(x)], 1)
    h = shared(h).tanh()
    if second(shared):
        h = shared(h)
    found = named(
        top(h), {f"{k} {n}": p for k, m in enumerate((left, right, shared, top)) for n, p in m.named_parameters()}
    )
    return found


# -- saving -----------------------------------------------------------------------------------------------------------


def fixed_hidden(seed: int) -> FixedHidden:
    torch.manual_seed(seed)
    return FixedHidden(8).double()


def our_saving() -> Tensors:
    """Another network of the class, with what was saved of the first; and the tensors that torch finds in the file."""
    other = fixed_hidden(3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.pt"
        save(fixed_hidden(2), path)
        load_into(other, path)
        file = torch.load(path, weights_only=True)
    found = named(other(rows(5, 8)), dict(other.named_parameters()))
    return found | {f"file {name}": value for name, value in file.items()}


def torch_saving(keep_constant: bool = True) -> Tensors:
    """The first network's numbers in torch's functions: without saving. Or with the constant of the second."""
    torch.manual_seed(2)
    linear = nn.Linear(8, 8)
    constant = torch.randn(8, 8) / 8**0.5
    linear, constant = linear.double(), constant.double()
    tensors = {"linear.weight": linear.weight, "linear.bias": linear.bias}
    used = constant if keep_constant else fixed_hidden(3).fixed
    h = nn.functional.linear(rows(5, 8), linear.weight, linear.bias)
    y = nn.functional.linear((h @ used + 1).relu(), linear.weight, linear.bias)
    size = y.detach().abs().sum(1, keepdim=True)
    y = y / 2 ** (size / 8).log2().ceil().clamp(min=0)  # halved until the absolute sum is at most the width
    return named(y, tensors) | {f"file {k}": v.detach() for k, v in tensors.items()} | {"file fixed": constant}


# -- a layer used twice -----------------------------------------------------------------------------------------------


def chimera() -> Chimera:
    torch.manual_seed(4)
    return Chimera(12, 3, width=8).double()


def our_chimera() -> Tensors:
    net = chimera()
    return named(net(rows(5, 12)), dict(net.blocks[4].named_parameters()))


def torch_chimera(both_uses: bool) -> Tensors:
    """The same numbers in torch's functions, with a copy of the shared layer for each of its two uses."""
    w = chimera().state_dict()
    twice = [{kind: w[f"blocks.4.{kind}"].clone().requires_grad_() for kind in ("weight", "bias")} for _ in range(2)]

    def dense(x: Tensor, name: str) -> Tensor:
        return (x @ w[f"blocks.{name}.weight"] + w[f"blocks.{name}.bias"]).relu()

    x = rows(5, 12)
    h = dense(x - x.mean(1, keepdim=True), "2")
    left = dense(dense(h, "3.branches.0.0"), "3.branches.0.1")
    h = torch.cat([left, dense(h, "3.branches.1")], 1)
    for copy in twice:
        h = (h @ copy["weight"] + copy["bias"]).relu()
    h = nn.functional.linear(h, w["blocks.6.linear.weight"], w["blocks.6.linear.bias"])
    h = (h @ w["blocks.6.fixed"] + 1).relu()
    h = nn.functional.linear(h, w["blocks.6.linear.weight"], w["blocks.6.linear.bias"])
    h = h / 2 ** (h.detach().abs().sum(1, keepdim=True) / 8).log2().ceil().clamp(min=0)
    found = named(nn.functional.linear(h, w["blocks.7.weight"], w["blocks.7.bias"]), twice[0])
    second = {f"grad {kind}": p.grad for kind, p in twice[1].items()}
    return found | {name: found[name] + slope for name, slope in second.items() if both_uses and slope is not None}


CHECKS = [
    Check(
        name="builders/custom_layers",
        claim="a centring and a dense layer with its gradients against nn.LayerNorm and nn.Linear",
        package="torch",
        ours=our_dense,
        reference=torch_dense,
        control=partial(our_dense, detached=True),
        mistake="the parameters' .data in the forward pass (D2L 6.5)",
    ),
    Check(
        name="builders/blocks",
        claim="nested blocks and a layer listed twice against the same layers called by hand",
        package="torch",
        ours=our_blocks,
        reference=partial(torch_blocks, lambda layer: True),
        control=partial(torch_blocks, lambda layer: False),
        mistake="children(), which names a layer listed twice once (D2L 6.1)",
    ),
    Check(
        name="builders/tying",
        claim="the chimera, with the gradient of its layer used twice, against torch's functions and the sum over two",
        package="torch",
        ours=our_chimera,
        reference=partial(torch_chimera, True),
        control=partial(torch_chimera, False),
        mistake="the gradient of the first use alone",
    ),
    Check(
        name="builders/saving",
        claim="a network saved and loaded into another one, and its file, against its numbers in torch's functions",
        package="torch",
        ours=our_saving,
        reference=torch_saving,
        control=partial(torch_saving, keep_constant=False),
        mistake="the constant as a plain attribute, which is not saved (D2L 6.1)",
    ),
]
