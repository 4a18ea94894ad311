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


def answer(net: nn.Module) -> Tensors:
    return named(net(rows(5, 8)), dict(net.named_parameters()))


def fixed_hidden() -> FixedHidden:
    torch.manual_seed(2)
    return FixedHidden(8).double()


def saved(keep_buffers: bool = True) -> Tensors:
    """Another network of the class, with what was saved of the first."""
    torch.manual_seed(3)
    other = FixedHidden(8).double()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.pt"
        net = fixed_hidden()
        if keep_buffers:
            save(net, path)
            load_into(other, path)
        else:
            other.load_state_dict(dict(net.named_parameters()), strict=False)
    return answer(other)


def untied_chimera(tied: bool) -> Tensors:
    """The chimera's two uses of one layer as two layers: the one's gradient is the sum of the two's."""
    torch.manual_seed(4)
    net = Chimera(12, 3, width=8).double()
    copies = [Dense(8, 8).double(), Dense(8, 8).double()]
    for copy in copies:
        copy.load_state_dict(net.blocks[4].state_dict())
    x = rows(5, 12)
    before = Sequential(*list(net.blocks)[:4])(x)
    y = Sequential(*copies, *list(net.blocks)[6:])(before)
    found = named(y, {"weight": copies[0].weight, "bias": copies[0].bias})
    for name in ("weight", "bias"):
        slope = getattr(copies[1], name).grad
        found[f"grad {name}"] = found[f"grad {name}"] + slope if tied else found[f"grad {name}"]
    return found


def our_chimera() -> Tensors:
    torch.manual_seed(4)
    net = Chimera(12, 3, width=8).double()
    shared = net.blocks[4]
    return named(net(rows(5, 12)), dict(shared.named_parameters()))


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
        claim="the gradient of a layer used twice against the sum over two layers of the same weights",
        package="torch",
        ours=our_chimera,
        reference=partial(untied_chimera, True),
        control=partial(untied_chimera, False),
        mistake="the gradient of the first use alone",
    ),
    Check(
        name="builders/saving",
        claim="a network saved and loaded into another one, with its constant, against itself",
        package="torch",
        ours=saved,
        reference=lambda: answer(fixed_hidden()),
        control=partial(saved, keep_buffers=False),
        mistake="the constant as a plain attribute, which is not saved (D2L 6.1)",
    ),
]
