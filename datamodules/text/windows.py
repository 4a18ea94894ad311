"""Two ways to divide a long text into batches: random windows, and streams that continue from batch to batch.

D2L 9.3 uses all windows in a random order; its earlier editions also have sequential partitioning, which models that
carry their state need. Both are views of one tensor of tokens: a window is copied only with its batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from datamodules.base import TensorLoader


class WindowLoader(TensorLoader):
    """Windows of ``seq_len`` + 1 tokens in a random order. They begin at multiples of ``stride`` plus an offset that is
    drawn for each epoch, so that the boundaries differ between epochs.

    Args:
        corpus: All tokens (N,).
        seq_len: T; a window has T + 1 tokens, the last one only as target.
        stride: Tokens from one window to the next: 1 gives every window (the book), T uses each token once.
        batch_size, **loader: See ``TensorLoader``.
    """

    def __init__(self, corpus: Tensor, seq_len: int, stride: int, batch_size: int, **loader: int | bool) -> None:
        super().__init__((corpus.unfold(0, seq_len + 1, 1),), batch_size, True, **loader)  # type: ignore[arg-type]
        self.stride = stride

    def __len__(self) -> int:
        return -(-(len(self.tensors[0]) // self.stride // self.world) // self.batch_size)

    def _order(self) -> Tensor:
        generator = self.generator()
        count = len(self.tensors[0]) // self.stride
        offset = torch.randint(self.stride, (1,), generator=generator)
        starts = offset + self.stride * torch.randperm(count, generator=generator)
        return starts[: count - count % self.world][self.rank :: self.world]


class StreamLoader(TensorLoader):
    """The text as ``batch_size`` x ``world`` streams side by side: row i of a batch continues row i of the last
    batch. The streams begin at an offset that is drawn for each epoch; tokens after the last full step are left out.

    Args:
        corpus: All tokens (N,).
        seq_len: T, tokens in a row of a batch.
        batch_size: Streams of this process.
        **loader: See ``TensorLoader``.
    """

    def __init__(self, corpus: Tensor, seq_len: int, batch_size: int, **loader: int | bool) -> None:
        super().__init__((corpus.unfold(0, seq_len + 1, 1),), batch_size, True, **loader)  # type: ignore[arg-type]
        self.seq_len = seq_len

    def __len__(self) -> int:
        return len(self.tensors[0]) // (self.seq_len * self.batch_size * self.world)

    def _order(self) -> Tensor:
        generator = self.generator()
        offset = torch.randint(self.seq_len, (1,), generator=generator)
        steps, rows = len(self), self.batch_size * self.world
        starts = torch.arange(rows * steps).reshape(rows, steps) * self.seq_len + offset
        return starts.T[:, self.rank :: self.world].flatten()  # step by step


class EvaluationStreams(TensorLoader):
    """The rows of ``evaluation_windows``: a batch is one step of all streams of this process, so that its row i
    continues row i of the batch before.

    Args:
        tensors: Rows in the order of steps, ``streams`` of them for each.
        streams: Streams of all processes; with fewer streams than processes rows are distributed in turn.
        rank, world, pin_memory: See ``TensorLoader``.
    """

    def __init__(
        self, tensors: Sequence[Tensor], streams: int, rank: int = 0, world: int = 1, pin_memory: bool = False
    ) -> None:
        mine = max(1, len(range(rank, streams, world)))
        super().__init__(tensors, mine, False, 0, rank, world, pin_memory)
        self.streams = max(streams, 1)

    def _order(self) -> Tensor:
        rows = torch.arange(len(self.tensors[0]))
        if self.streams < self.world:
            return rows[self.rank :: self.world]
        return rows.reshape(-1, self.streams)[:, self.rank :: self.world].flatten()

    def __len__(self) -> int:
        return -(-len(self._order()) // self.batch_size)


def stream_count(tokens: int, world: int = 1) -> int:
    """Streams of an evaluation: one for 1,024 tokens, at most 16, and at least one for each process."""
    return max(world, min(16, tokens // 1024), 1)


def evaluation_windows(corpus: Tensor, seq_len: int, rows: int, pad_id: int = -1) -> tuple[Tensor, Tensor]:
    """Every token of a text but the first as a target exactly once: (tokens, targets), both (steps * rows, T).

    The text is divided into ``rows`` streams: rows k * ``rows`` to (k + 1) * ``rows`` are step k. Positions beyond the
    end of the text have the target ``pad_id``.
    """
    count = len(corpus) - 1
    steps = -(-count // (rows * seq_len))
    size = rows * steps * seq_len
    tokens, targets = corpus.new_zeros(size), corpus.new_full((size,), pad_id)
    tokens[:count], targets[:count] = corpus[:-1], corpus[1:]
    shape = (rows, steps, seq_len)
    streams = [t.reshape(shape).transpose(0, 1).reshape(-1, seq_len).contiguous() for t in (tokens, targets)]
    return streams[0], streams[1]
