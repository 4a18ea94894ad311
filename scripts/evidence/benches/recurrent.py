"""Training the book's recurrent language models: the recipes as ``dive fit`` runs them, a bare loop, the book's manner.

D2L 9.5, 9.6, 10.1 and 10.2: 32 hidden units on one-hot characters, 1,024 windows of 32 characters a step. The text is
random characters of the same number and vocabulary: only speeds are measured, nothing is learned.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from datamodules.text.language_model import LanguageModelData
from datamodules.text.windows import evaluation_windows
from scripts.evidence.benches import ours
from scripts.evidence.benches.d2l_manner import PLOTS_PER_EPOCH, Board
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Training the book's recurrent networks",
    """\
32 hidden units on one-hot characters, 1,024 windows of 32 per step: `rnn/rnn_time_machine` and the like as `dive fit`
runs them, the bare loop with the same steps, clipping included, and the book's manner (D2L 9.5): a `TensorDataset` of
all windows, its own clipping, the perplexity of each step kept.""",
    "samples",
    (
        Goal("rnn", "bare", 0.93, None, "the book's recurrent language models"),
        Goal("gru", "bare", 0.93, None, "the same"),
        Goal("lstm", "bare", 0.93, None, "the same"),
        Goal("rnn", "d2l", 1.1, None, "windows as views of one tensor"),
        Goal("gru", "d2l", 1.1, None, "the same"),
        Goal("lstm", "d2l", 1.1, None, "the same"),
    ),
)
KINDS: dict[str, tuple[Callable[..., nn.Module], float]] = {  # the book's learning rates
    "rnn": (nn.RNN, 1.0),
    "gru": (nn.GRU, 4.0),
    "lstm": (nn.LSTM, 4.0),
}
VOCABULARY, HIDDEN, LENGTH, WINDOWS, BATCH, CLIP = 28, 32, 32, 10_000, 1024, 1.0
STEPS, WARMUP = 30, 3
Row = dict[str, Any]


@cache
def text() -> Tensor:
    """Characters (10,032,) int32: as many windows begin in it as the book trains on."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(VOCABULARY, (WINDOWS + LENGTH,), dtype=torch.int32, generator=generator)


class RandomText(LanguageModelData):
    """The random text instead of the recipe's."""

    def __init__(self, vocab_size: int = VOCABULARY, seq_len: int = LENGTH, **more: Any) -> None:
        super().__init__(vocab_size, seq_len, **more)

    def processor(self) -> dict[str, Any]:
        return {}  # no tokenizer

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        return {"train": (text(),), "val": evaluation_windows(text()[: 2 * LENGTH], LENGTH, 1)}


def train_ours(kind: str, clock: Clock) -> None:
    _, model, data = build([f"rnn/{kind}_time_machine", "--data", f"{RandomText.__module__}.{RandomText.__name__}"])
    ours.fit(model, data, clock, gradient_clip_val=CLIP)


class CharacterModel(nn.Module):
    """One-hot characters, the recurrent layer, scores of the next one. (B, T) -> (B, T, V)."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.body = KINDS[kind][0](VOCABULARY, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.body(F.one_hot(tokens, VOCABULARY).float())[0])


def batches() -> Iterator[Tensor]:
    windows = text().unfold(0, LENGTH + 1, 1)
    while True:
        for index in torch.randperm(len(windows)).split(BATCH):
            yield windows.index_select(0, index).long()


def train_bare(kind: str, clock: Clock) -> None:
    """Whole batches by ``index_select``, clipped, the fused step."""
    net = CharacterModel(kind)
    optimizer = torch.optim.SGD(net.parameters(), KINDS[kind][1], fused=True)
    for window in batches():
        loss = F.cross_entropy(net(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
        clock.tick(len(window))
        if clock.done:
            break


def clip_by_the_book(net: nn.Module) -> None:
    """D2L 9.5: the norm out of each parameter's squares, a comparison in Python, each gradient scaled by itself."""
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    norm = torch.sqrt(sum((torch.sum(g**2) for g in gradients), torch.zeros(())))
    if norm > CLIP:
        for gradient in gradients:
            gradient[:] *= CLIP / norm


def train_d2l(kind: str, clock: Clock) -> None:
    """In the manner of the book: a ``TensorDataset`` of all windows, time first, and the perplexity of each step drawn
    (kept, here).
    """
    windows = text().long().unfold(0, LENGTH + 1, 1)
    data = DataLoader(TensorDataset(windows[:, :-1], windows[:, 1:]), BATCH, shuffle=True)
    body, head = KINDS[kind][0](VOCABULARY, HIDDEN), nn.Linear(HIDDEN, VOCABULARY)
    net = nn.ModuleList([body, head])
    optimizer = torch.optim.SGD(net.parameters(), KINDS[kind][1])
    board = Board(len(data) // PLOTS_PER_EPOCH)
    for x, y in clock.batches(lambda: data):
        output = body(F.one_hot(x.T, VOCABULARY).type(torch.float32))[0]
        scores = head(output).swapaxes(0, 1)  # (B, T, V)
        loss = F.cross_entropy(scores.reshape(-1, VOCABULARY), y.reshape(-1))
        board.add(clock.count / len(data), torch.exp(loss).item())
        optimizer.zero_grad()
        with torch.no_grad():
            loss.backward()
            clip_by_the_book(net)
            optimizer.step()
        clock.tick(len(x))


SIDES: dict[str, Callable[[str, Clock], None]] = {"bare": train_bare, "ours": train_ours, "d2l": train_d2l}


def measure(
    threads: int, repeats: int, say: Callable[[str], None], steps: int = STEPS, warmup: int = WARMUP
) -> list[Row]:
    """Windows a second of each side in each turn."""
    torch.set_num_threads(threads)
    rows: list[Row] = []
    for kind in KINDS:
        sides = {name: partial(side, kind) for name, side in SIDES.items()}
        rows += take_turns(kind, threads, sides, repeats, steps, warmup, say)
    return rows
