"""The recurrent transducer: its losses against a sum over every path, its network place by place."""

from functools import partial
from itertools import combinations, product
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.functional.transducer import monotonic_loss, transducer_loss
from lit_models.rnn.transducer import LitTransducer
from scripts.evidence.parity.rnn_speech import SAMPLES, SIZES, of_losses, of_recognizer, spoken
from scripts.evidence.verify import Check, Tensors

SAID, FRAMES = torch.tensor([[1, 2, 2], [3, 0, 0], [0, 0, 0], [2, 3, 0]]), torch.tensor([4, 3, 2, 1])


def lattice() -> Tensor:
    generator = torch.Generator().manual_seed(6)
    return torch.randn(4, 4, 4, 4, generator=generator, dtype=torch.float64).requires_grad_()


def our_transducer() -> Tensors:
    x = lattice()
    return of_losses(transducer_loss(x.log_softmax(3), SAID, FRAMES), x)


def every_way(last_blank: bool = True) -> Tensors:
    """Each order of T blanks and U labels that ends with a blank; wrong: the last blank is not counted."""
    x, losses = lattice(), []
    for row, target in enumerate(SAID.tolist()):
        y, labels, ways = x[row].log_softmax(2), [label for label in target if label], []
        frames = int(FRAMES[row])
        for places in combinations(range(frames - 1 + len(labels)), len(labels)):
            t, u, steps = 0, 0, []
            for step in range(frames - 1 + len(labels)):
                steps.append(y[t, u, labels[u]] if step in places else y[t, u, 0])
                t, u = (t, u + 1) if step in places else (t + 1, u)
            steps += [y[t, u, 0]] if last_blank else []
            ways.append(torch.stack(steps).sum() if steps else y.sum() * 0)
        losses.append(-torch.stack(ways).logsumexp(0))
    return of_losses(torch.stack(losses), x)


def our_monotonic() -> Tensors:
    x = lattice()
    return of_losses(monotonic_loss(x.log_softmax(3), SAID, FRAMES), x)


def every_monotonic_way(stays: bool = False) -> Tensors:
    """Each choice of U of the T frames that give a label; wrong: a frame that gave one is met again."""
    x, losses = lattice(), []
    for row, target in enumerate(SAID.tolist()):
        y, labels, ways = x[row].log_softmax(2), [label for label in target if label], []
        for places in combinations(range(int(FRAMES[row])), len(labels)):
            u, steps = 0, []
            for t in range(int(FRAMES[row])):
                if t in places:
                    steps.append(y[t, u, labels[u]])
                    u += 1
                if t not in places or stays:
                    steps.append(y[t, u, 0])
            ways.append(torch.stack(steps).sum())
        losses.append(-torch.stack(ways).logsumexp(0) if ways else y.sum() * 0 + torch.inf)
    return of_losses(torch.stack(losses), x)


def transducer() -> LitTransducer:
    torch.manual_seed(7)
    sizes = SIZES | {"num_layers": 0, "joint_size": 6, "said_size": 4}
    return LitTransducer(**sizes, bidirectional=False, ctc_weight=0.0).double()


def our_network() -> Tensors:
    model, batch = transducer(), spoken()
    loss, _, log_probs = model.losses(batch)
    frames = model.net.frame_counts(SAMPLES).tolist()  # type: ignore[operator]
    rows = [y[:n].flatten(0, 1) for y, n in zip(log_probs, frames, strict=True)]
    return of_recognizer(rows, loss, trained(model.net))


def trained(net: nn.Module) -> dict[str, Tensor]:
    return {name: p for name, p in net.named_parameters() if p.requires_grad}


def their_network(late: bool = False) -> Tensors:
    """nn.GRU over the labels of each sound alone, place by place, and the sum over all ways; wrong: it reads late."""
    model, (x, lengths, targets) = transducer(), spoken()
    net: Any = model.net
    heard = net.encoder.stacked(net.encoder.log_mel(x, lengths)) @ net.encoder.head.weight.T + net.encoder.head.bias
    rows, losses = [], []
    for row, target in enumerate(targets.tolist()):
        labels = [label for label in target if label]
        read = torch.tensor([[0, 0, *target[:-1]] if late else [0, *target]])
        said = net.said.layers(net.embedding.weight[read])[0][0] @ net.project.weight.T
        n = int(net.frame_counts(lengths)[row])
        places = [[net.head((heard[row, t] + s).tanh()).log_softmax(0) for s in said] for t in range(n)]
        y = torch.stack([torch.stack(place) for place in places])
        rows.append(y.flatten(0, 1))
        alpha = torch.full((n, len(labels) + 1), -torch.inf, dtype=torch.float64).tolist()
        for t, u in product(range(n), range(len(labels) + 1)):
            come = [alpha[t - 1][u] + y[t - 1, u, 0]] if t else []
            come += [alpha[t][u - 1] + y[t, u - 1, labels[u - 1]]] if u else []
            alpha[t][u] = torch.stack(come).logsumexp(0) if come else y.sum() * 0
        losses.append(-(alpha[n - 1][len(labels)] + y[n - 1, len(labels), 0]))
    loss = torch.stack(losses).sum() / (targets > 0).sum()
    return of_recognizer(rows, loss, trained(net))


CHECKS = [
    Check(
        name="rnn/transducer",
        claim="The transducer's loss and gradient against the sum over every path of the lattice",
        package="torch",
        ours=our_transducer,
        reference=every_way,
        control=partial(every_way, last_blank=False),
        mistake="the blank that ends a text is not counted",
    ),
    Check(
        name="rnn/transducer_monotonic",
        claim="The loss of the monotonic lattice and its gradient against the sum over every choice of frames",
        package="torch",
        ours=our_monotonic,
        reference=every_monotonic_way,
        control=partial(every_monotonic_way, stays=True),
        mistake="a frame that gave a label gives a blank, too",
    ),
    Check(
        name="rnn/transducer_network",
        claim="The network that reads the labels and the joint network, place by place, on the same frames",
        package="torch",
        ours=our_network,
        reference=their_network,
        control=partial(their_network, late=True),
        mistake="the labels are read one late",
    ),
]
