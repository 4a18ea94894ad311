"""Recurrent networks against torch.nn, backpropagation through time against autograd."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.rnn import bptt
from lit_models.rnn.gru import GRULayer
from lit_models.rnn.lstm import LSTMLayer
from lit_models.rnn.rnn import RNNLayer
from lit_models.rnn.stack import Stack, from_torch
from scripts.evidence.verify import Check, Tensors

LAYERS: dict[str, Any] = {"rnn": RNNLayer, "lstm": LSTMLayer, "gru": GRULayer}
TORCH: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
SHAPE: dict[str, Any] = {"input_size": 5, "hidden_size": 6, "num_layers": 2, "bidirectional": True}
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def reference_net(kind: str, **settings: Any) -> nn.Module:
    torch.manual_seed(2)
    return TORCH[kind](**SHAPE, batch_first=True, **settings).double()


def finish(x: Tensor, y: Tensor, state: Any, weights: dict[str, Tensor]) -> Tensors:
    """Outputs (B, T, H), last states (layers, B, H), and the gradients of a sum of both."""
    state = torch.cat(list(state)) if isinstance(state, tuple) else state
    (y.square().sum() + state.sum()).backward()
    found: Any = {"outputs": y, "state": state, "grad input": x.grad}
    return found | {f"grad {name}": p.grad for name, p in weights.items()}


def inputs() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(3, 7, 5, dtype=torch.float64, requires_grad=True)


def ours(kind: str, layer: Any = None) -> Tensors:
    """Two layers in both directions, written out, with the reference's weights."""
    net = Stack(layer or LAYERS[kind], **SHAPE).double()
    from_torch(net, reference_net(kind))
    x = inputs()
    y, state = net(x)
    names = [f"{n}_l{i // 2}{'_reverse' if i % 2 else ''}" for i in range(4) for n in NAMES]
    state = tuple(s.transpose(0, 1) for s in state) if isinstance(state, tuple) else state.transpose(0, 1)
    return finish(x, y, state, dict(zip(names, net.parameters(), strict=True)))


def theirs(kind: str, **settings: Any) -> Tensors:
    net, x = reference_net(kind, **settings), inputs()
    y, state = net(x)
    return finish(x, y, state, dict(net.named_parameters()))


class WrongLSTM(LSTMLayer):
    """Reads torch's four blocks in the order of the book's formulas: i, f, o, g."""

    def forward(self, x: Tensor, state: Any = None) -> Any:
        for p in self.parameters():
            i, f, g, o = p.data.chunk(4)
            p.data.copy_(torch.cat([i, f, o, g]))
        return super().forward(x, state)


# -- backpropagation through time -------------------------------------------------------------------------------------


def problem() -> tuple[Tensor, ...]:
    torch.manual_seed(3)
    w, u, v, x, h0 = (0.7 * torch.randn(s, dtype=torch.float64) for s in ((4, 3), (4, 4), (5, 4), (9, 3), (4,)))
    return w, u, v, x, torch.randint(5, (9,)), h0


def named(gradients: Any) -> Tensors:
    return {f"grad {name}": g for name, g in zip("WUV", gradients, strict=True)}


def by_hand(tau: int = 0) -> Tensors:
    w, u, v, x, y, h0 = problem()
    return named(bptt.gradients(w, u, v, x, y, h0, bptt.regular(9, tau) if tau else None))


def by_autograd(tau: int = 0) -> Tensors:
    """With torch.nn's RNN, run over pieces of ``tau`` steps with the state detached in between."""
    w, u, v, x, y, h0 = problem()
    net, head = nn.RNN(3, 4, bias=False).double(), nn.Linear(4, 5, bias=False).double()
    for parameter, value in ((net.weight_ih_l0, w), (net.weight_hh_l0, u), (head.weight, v)):
        parameter.data.copy_(value)  # type: ignore[operator, union-attr]
    outputs, state = [], h0[None]
    for piece in x.split(tau or len(x)):
        y_piece, state = net(piece, state.detach())
        outputs.append(y_piece)
    F.cross_entropy(head(torch.cat(outputs)), y).backward()
    return named((net.weight_ih_l0.grad, net.weight_hh_l0.grad, head.weight.grad))


CHECKS = [
    Check(
        name=f"rnn/{kind}",
        claim=f"{kind.upper()} layers written out, two deep and in both directions, against torch.nn",
        package="torch",
        ours=partial(ours, kind),
        reference=partial(theirs, kind),
        control=control,
        mistake=mistake,
    )
    for kind, control, mistake in (
        ("rnn", partial(theirs, "rnn", nonlinearity="relu"), "ReLU for tanh"),
        ("lstm", partial(ours, "lstm", WrongLSTM), "the output gate's block read as the candidate's"),
        (
            "gru",
            partial(ours, "gru", partial(GRULayer, reset="before")),
            "the reset gate before the recurrent product, as the book's from-scratch code",
        ),
    )
] + [
    Check(
        name="rnn/bptt",
        without="outputs: the equations are those of the gradients",
        claim="Backpropagation through time by its equations against autograd through nn.RNN",
        package="torch",
        ours=by_hand,
        reference=by_autograd,
        control=partial(by_hand, tau=3),
        mistake="cut every three steps",
    ),
    Check(
        name="rnn/truncated_bptt",
        without="outputs: the equations are those of the gradients",
        claim="Truncated after every three steps against autograd through detached pieces",
        package="torch",
        ours=partial(by_hand, tau=3),
        reference=partial(by_autograd, tau=3),
        control=by_autograd,
        mistake="the state not detached",
    ),
]
