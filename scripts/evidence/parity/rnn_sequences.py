"""Forecasts of many steps and language models against plain loops and torch's layers called one by one."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.rnn.autoregressive import Autoregressive
from lit_models.rnn.gru import gru_language_model
from lit_models.rnn.language_model import RecurrentLM
from lit_models.rnn.lstm import lstm_language_model
from scripts.evidence.verify import Check, Tensors

# -- forecasts --------------------------------------------------------------------------------------------------------

PAST, STEPS, KINDS = 4, 6, ("linear", "mlp", "gru")


def forecaster(kind: Any, relative: bool) -> tuple[Autoregressive, Tensor]:
    torch.manual_seed(2)
    net = Autoregressive(PAST, kind, hidden_size=5, relative=relative).double()
    return net, torch.randn(3, PAST, dtype=torch.float64, requires_grad=True)


def compared(net: nn.Module, kind: str, forecast: Tensor, x: Tensor) -> Tensors:
    """The forecasts (B, STEPS), and the gradients of a loss on all of them."""
    forecast.sin().sum().backward()
    found: Any = {f"{kind} forecast": forecast.detach(), f"grad {kind} past": x.grad}
    return found | {f"grad {kind} {name}": p.grad for name, p in net.named_parameters()}


def our_forecasts(relative: bool) -> Tensors:
    found: Tensors = {}
    for kind in KINDS:
        net, x = forecaster(kind, relative)
        found |= compared(net, kind, net.forecast(x, STEPS), x)
    return found


def one_step(net: Any, kind: str, values: list[Tensor]) -> Tensor:
    """The next value after ``values``, oldest first, all of them numbers."""
    if kind == "gru":
        h = torch.zeros(5, dtype=torch.float64)
        w, u, b, c = (getattr(net.gru, f"{n}_l0") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        for value in values:
            (a1, a2, a3), (d1, d2, d3) = (w[:, 0] * value + b).chunk(3), (u @ h + c).chunk(3)
            update = torch.sigmoid(a2 + d2)
            h = update * h + (1 - update) * torch.tanh(a3 + torch.sigmoid(a1 + d1) * d3)
        features = list(h)
    elif kind == "mlp":
        rows = zip(net.hidden.weight, net.hidden.bias, strict=True)
        features = [F.relu(sum((w * v for w, v in zip(row, values, strict=True)), b)) for row, b in rows]
    else:
        features = values
    return sum((w * f for w, f in zip(net.head.weight[0], features, strict=True)), net.head.bias[0])


def their_forecasts(relative: bool, wrong: str = "") -> Tensors:
    """``wrong``: ``oldest`` gives each forecast the place of the oldest value, ``first`` keeps the first reference."""
    found: Tensors = {}
    for kind in KINDS:
        net, x = forecaster(kind, relative)
        rows = []
        for row in x:
            past, series = list(row), []
            for _ in range(STEPS):
                last = (row[-1] if wrong == "first" else past[-1]) if relative else torch.zeros((), dtype=torch.float64)
                series.append(last + one_step(net, kind, [value - last for value in past]))
                past = [series[-1], *past[1:]] if wrong == "oldest" else [*past[1:], series[-1]]
            rows.append(torch.stack(series))
        found |= compared(net, kind, torch.stack(rows), x)
    return found


# -- language models --------------------------------------------------------------------------------------------------

V, H, P = 7, 5, 0.4
TOKENS = torch.tensor([[1, 2, 3, 1, 0, 6], [4, 4, 5, 0, 2, 2]])


def drawn(net: RecurrentLM) -> RecurrentLM:
    torch.manual_seed(2)
    for parameter in net.double().parameters():
        nn.init.normal_(parameter, std=0.5)
    return net


def tied() -> Any:
    return drawn(lstm_language_model(V, H, 2, dropout=P, embed_size=H, tied=True))


def one_hot() -> Any:
    return drawn(gru_language_model(V, H, 1, dropout=P))


def learned(logits: Tensor, net: nn.Module) -> Tensors:
    F.cross_entropy(logits[:, :-1].flatten(0, 1), TOKENS[:, 1:].flatten()).backward()
    gradients: Any = {f"grad {name}": p.grad for name, p in net.named_parameters()}
    return {"logits": logits.detach()} | gradients


def our_model(make: Any) -> Tensors:
    """In training: the masks of dropout are those of a seed."""
    net = make()
    torch.manual_seed(3)
    return learned(net(TOKENS), net)


def dropped(x: Tensor, time_first: bool = False) -> Tensor:
    """Dropout by its definition; torch's stacks draw their masks with time before the batch."""
    shape = x.transpose(0, 1) if time_first else x
    keep = torch.empty(shape.shape, dtype=torch.float64).bernoulli_(1 - P) / (1 - P)
    return x * (keep.transpose(0, 1) if time_first else keep)


def their_tied(before_head: bool = True, output_use: bool = True) -> Tensors:
    """Zaremba et al. 2014: dropout on what goes up, from the token vectors to the output, and on no state.

    The matrix that both ends share stands here twice; its gradient is the sum of the two.
    """
    net = tied()
    end = net.embedding.weight.detach().clone().requires_grad_()
    layer = nn.LSTM(H, H, batch_first=True).double()  # called twice, each time with one level's weights
    names = [name for name, _ in layer.named_parameters()]
    torch.manual_seed(3)
    x = dropped(net.embedding.weight[TOKENS])
    for level in range(2):
        weights = {name: getattr(net.body.layers, name.replace("_l0", f"_l{level}")) for name in names}
        if level:
            x = dropped(x, time_first=True)
        x = torch.func.functional_call(layer, weights, (x,))[0]
    x = dropped(x, time_first=True) if before_head else x
    found = learned(x @ end.T + net.head.bias, net)
    if output_use:
        assert end.grad is not None
        found["grad embedding.weight"] = found["grad embedding.weight"] + end.grad
    return found


def their_one_hot(drop_output: bool = False) -> Tensors:
    """A one-hot vector times the input matrix is one of its columns. No dropout: there are no token vectors."""
    net = one_hot()
    torch.manual_seed(3)
    w, u, b, c = net.body.layers.parameters()
    rows = []
    for row in TOKENS:
        h, outputs = torch.zeros(H, dtype=torch.float64), []
        for token in row:
            (a1, a2, a3), (d1, d2, d3) = (w[:, token] + b).chunk(3), (u @ h + c).chunk(3)
            update = torch.sigmoid(a2 + d2)
            h = update * h + (1 - update) * torch.tanh(a3 + torch.sigmoid(a1 + d1) * d3)
            outputs.append(h)
        rows.append(torch.stack(outputs))
    y = torch.stack(rows)
    return learned((dropped(y) if drop_output else y) @ net.head.weight.T + net.head.bias, net)


def check(name: str, claim: str, ours: Any, theirs: Any, mistake: str, **wrong: Any) -> Check:
    return Check(
        name=f"rnn/{name}",
        claim=claim,
        package="torch",
        ours=ours,
        reference=theirs,
        control=partial(theirs, **wrong),
        mistake=mistake,
    )


FORECAST = "forecasts of 1 to 6 steps by the linear model, the perceptron and the GRU against loops over numbers"
CHECKS = [
    check(
        "autoregressive",
        FORECAST,
        partial(our_forecasts, False),
        partial(their_forecasts, False),
        "a forecast takes the place of the oldest value without the others moving on",
        wrong="oldest",
    ),
    check(
        "autoregressive_relative",
        f"relative {FORECAST}",
        partial(our_forecasts, True),
        partial(their_forecasts, True),
        "each step is relative to the last observed value",
        wrong="first",
    ),
    check(
        "language_model_dropout",
        "a tied LSTM language model in training against nn.LSTM layer by layer with the same masks of dropout",
        partial(our_model, tied),
        their_tied,
        "no dropout in front of the output layer, as nn.LSTM alone has it",
        before_head=False,
    ),
    check(
        "language_model_tied",
        "the gradient of the matrix at both ends of a language model against the sum over two matrices",
        partial(our_model, tied),
        their_tied,
        "the gradient of the token vectors' use alone",
        output_use=False,
    ),
    check(
        "language_model_one_hot",
        "a GRU language model on one-hot vectors against columns of its input matrix, in training",
        partial(our_model, one_hot),
        their_one_hot,
        "dropout in front of the output layer",
        drop_output=True,
    ),
]
