"""The two GRU translators against the book's equations, one row, one token and one source position at a time.

D2L 10.7: the decoder begins with the encoder's states and reads, at each step, the token before and the context, which
is the top state after a source's last real token; the output layer reads the decoder's top output alone. D2L 11.4: the
context is a mean of the encoder's outputs, weighted by additive attention whose query is the decoder's top state before
the step. The gates are those of ``nn.GRU``.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.rnn.bahdanau import BahdanauGRU
from lit_models.rnn.seq2seq import Seq2SeqGRU
from scripts.evidence.verify import Check, Tensors

V, W, E, H, LAYERS = 9, 8, 4, 5, 2
SOURCE = torch.tensor([[4, 5, 6, 7, 2], [8, 5, 2, 0, 0], [7, 2, 0, 0, 0]])
LENGTH = torch.tensor([5, 3, 2])
TARGET = torch.tensor([[1, 6, 5, 7], [1, 7, 4, 3], [1, 5, 0, 0]])
REAL = TARGET > 0  # padding's logits are no part of a loss
Rows = list[Tensor]


def network(kind: Any) -> Any:
    """In evaluation, where the dropout of training does nothing, with every parameter drawn: biases too."""
    torch.manual_seed(2)
    net = kind(V, W, E, H, LAYERS, dropout=0.3).double().eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net


def quantities(net: nn.Module, found: Tensors) -> Tensors:
    """What was computed, without padding, and the gradients of a loss on the logits by every parameter."""
    found["logits"].sin().sum().backward()
    gradients: Any = {f"grad {name}": p.grad for name, p in net.named_parameters()}
    return {name: value.detach() for name, value in found.items()} | gradients


# -- ours -------------------------------------------------------------------------------------------------------------


def by_step(net: Any, memory: Any) -> Tensor:
    """The logits (B, T, W) of one token at a time, as ``dive generate`` asks for them."""
    state, logits = None, []
    for t in range(TARGET.shape[1]):
        row, state = net.decode(TARGET[:, t : t + 1], memory, state)
        logits.append(row)
    return torch.cat(logits, 1)


def our_seq2seq() -> Tensors:
    net = network(Seq2SeqGRU)
    memory = net.encode(SOURCE, LENGTH)
    step = by_step(net, memory)[REAL]
    return quantities(net, {"logits": net(SOURCE, LENGTH, TARGET)[REAL], "logits by step": step, "states": memory})


def our_bahdanau() -> Tensors:
    net = network(BahdanauGRU)
    memory = net.encode(SOURCE, LENGTH)
    logits, _, weights = net.attend(TARGET, memory)
    step = by_step(net, memory)[REAL]
    return quantities(net, {"logits": logits[REAL], "logits by step": step, "weights": weights[REAL]})


# -- by the equations -------------------------------------------------------------------------------------------------


def gru(rnn: nn.GRU, x: Tensor, before: Rows) -> Rows:
    """One step of a stack of GRUs: x (D,) and the states (H,) of all layers -> the states after it."""
    after = []
    for k, h in enumerate(before):
        w, u, b, c = (getattr(rnn, f"{name}_l{k}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        (wr, wz, wn), (ur, uz, un) = w.chunk(3), u.chunk(3)
        (br, bz, bn), (cr, cz, cn) = b.chunk(3), c.chunk(3)
        reset = torch.sigmoid(wr @ x + br + ur @ h + cr)
        update = torch.sigmoid(wz @ x + bz + uz @ h + cz)
        new = torch.tanh(wn @ x + bn + reset * (un @ h + cn))
        x = (1 - update) * new + update * h
        after.append(x)
    return after


def encoded(net: Any, row: int, length: int) -> tuple[Rows, Rows]:
    """The top states after each of the first ``length`` tokens of a source, and all layers' states at the end."""
    states, tops = [torch.zeros(H, dtype=torch.float64)] * LAYERS, []
    for token in SOURCE[row, :length]:
        states = gru(net.encoder.rnn, net.encoder.embedding.weight[token], states)
        tops.append(states[-1])
    return tops, states


def seq2seq(context_layer: int = -1, to_the_end: bool = False, moving: bool = False) -> Tensors:
    """Or wrong: with another layer's context, read to the end of the padding, or from the decoder's present state."""
    net, logits, memory = network(Seq2SeqGRU), [], []
    for row in range(len(SOURCE)):
        states = encoded(net, row, SOURCE.shape[1] if to_the_end else int(LENGTH[row]))[1]
        memory.append(torch.stack(states))
        context = states[context_layer]
        for token in TARGET[row][REAL[row]]:
            states = gru(net.rnn, torch.cat([net.embedding.weight[token], context]), states)
            context = states[-1] if moving else context
            logits.append(net.head.weight @ states[-1] + net.head.bias)
    found = torch.stack(logits)
    return quantities(net, {"logits": found, "logits by step": found.detach(), "states": torch.stack(memory)})


def bahdanau(query_layer: int = -1, late: bool = False, padding: bool = False) -> Tensors:
    """Or wrong: the query from another layer, the context read by the output of its own step, padding looked at."""
    net, logits, every = network(BahdanauGRU), [], []
    attention = net.attention
    for row in range(len(SOURCE)):
        real = int(LENGTH[row])
        tops, states = encoded(net, row, real)
        blank = [torch.zeros(H, dtype=torch.float64)] * (SOURCE.shape[1] - real)
        keys = torch.stack(tops + blank if padding else tops)  # (S, H)

        def look(query: Tensor, keys: Tensor = keys) -> tuple[Tensor, Tensor]:
            scores = [
                attention.w_v.weight[0] @ torch.tanh(attention.w_q.weight @ query + attention.w_k.weight @ key)
                for key in keys
            ]
            exponents = torch.stack(scores).exp()
            weights = exponents / exponents.sum()
            return sum(w * key for w, key in zip(weights, keys, strict=True)), weights  # type: ignore[return-value]

        for token in TARGET[row][REAL[row]]:
            x = net.embedding.weight[token]
            context, weights = look(states[query_layer])
            if late:  # the query is what the step would come to
                context, weights = look(gru(net.rnn, torch.cat([x, context]), states)[query_layer])
            states = gru(net.rnn, torch.cat([x, context]), states)
            logits.append(net.head.weight @ states[-1] + net.head.bias)
            every.append(nn.functional.pad(weights, (0, SOURCE.shape[1] - len(weights))))
    found = torch.stack(logits)
    return quantities(net, {"logits": found, "logits by step": found.detach(), "weights": torch.stack(every)})


def check(name: str, claim: str, ours: Callable[[], Tensors], theirs: Any, mistake: str, **wrong: Any) -> Check:
    return Check(
        name=f"rnn/{name}",
        claim=claim,
        package="torch",
        ours=ours,
        reference=theirs,
        control=partial(theirs, **wrong),
        mistake=mistake,
    )


PLAIN = "GRU encoder and decoder, at once and token by token, against the equations on each source's real tokens"
LOOKING = "Bahdanau's decoder with its attention weights, at once and token by token, against the equations"
CHECKS = [
    check("seq2seq", PLAIN, our_seq2seq, seq2seq, "the first layer's state as context", context_layer=0),
    check(
        "seq2seq_padding",
        PLAIN,
        our_seq2seq,
        seq2seq,
        "the context behind the padding, as the book takes it (D2L 10.7)",
        to_the_end=True,
    ),
    check(
        "seq2seq_context",
        PLAIN,
        our_seq2seq,
        seq2seq,
        "the decoder's own last state in the place of the context",
        moving=True,
    ),
    check("bahdanau", LOOKING, our_bahdanau, bahdanau, "the query from the first layer's state", query_layer=0),
    check("bahdanau_query", LOOKING, our_bahdanau, bahdanau, "the query from the state after the step", late=True),
    check("bahdanau_mask", LOOKING, our_bahdanau, bahdanau, "padding takes part in the softmax", padding=True),
]
