"""``heads.png``: what each head of each layer looks at, for one test sample, with the words at the axes."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.attention_weights import attention_weights
from callbacks.pictures.figures import new_figure, show

MOST_WORDS = 48  # more labels than this are no longer read


class HeadMaps(Callback):
    """Draws the attention of one row of the first test batch: a row of maps for each attention, a column for each head.

    The words come from the datamodule: ``source_tokens(ids)`` and ``target_tokens(ids)`` for a batch ``(source,
    source_length, target_in, target_out)``, ``tokenizer.tokens`` for a batch ``(tokens, targets)``.

    Args:
        row: Which row of the batch.
        max_tokens: A batch ``(tokens, targets)`` is cut to so many tokens.
    """

    def __init__(self, row: int = 0, max_tokens: int = 32) -> None:
        self.row, self.max_tokens = row, max_tokens
        self.sample: tuple[Tensor, ...] | None = None

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == 0 and self.row < len(batch[0]):
            self.sample = tuple(t[self.row : self.row + 1] for t in batch)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        sample, self.sample = self.sample, None
        if sample is None or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        inputs, words = self.trim(sample, getattr(trainer, "datamodule", None))
        weights = attention_weights(pl_module, *inputs)
        if weights:
            show(trainer, draw_heads({name: w[0] for name, w in weights.items()}, words), "heads")

    def trim(self, sample: tuple[Tensor, ...], data: Any) -> tuple[tuple[Tensor, ...], dict[str, list[str]]]:
        """The inputs without padding, and the words of ``source`` and ``target``."""
        if len(sample) != 4:
            tokens = sample[0][:, : self.max_tokens] if sample[0].ndim == 2 else sample[0]
            names = getattr(getattr(data, "tokenizer", None), "tokens", None)
            named = [names[i] for i in tokens[0].tolist()] if names and tokens.ndim == 2 else []
            return (tokens,), {"source": named}
        source, length, target_in, target_out = sample
        source, pad = source[:, : int(length[0])], int((target_out[0] != 0).sum())
        words: dict[str, list[str]] = {}
        if hasattr(data, "target_tokens"):
            words["target"] = data.target_tokens(target_in[0, :pad].tolist())
            words["source"] = data.source_tokens(source[0].tolist())
        return (source, length, target_in[:, :pad]), words


def draw_heads(weights: dict[str, Tensor], words: dict[str, list[str]]) -> Figure:
    """Draws weights (H, Q, K) of each attention: a query's row of keys, darker where it looks.

    ``words`` names the positions of ``source`` and ``target``: the queries of a module in a ``decoder`` are the
    target's, and so are its keys, unless it looks at the ``memory``.
    """
    columns = max(len(w) for w in weights.values())
    figure = new_figure(2.6 * columns + 1, 2.6 * len(weights) + 0.5)
    grid = figure.subplots(len(weights), columns, squeeze=False)
    for axes, (name, heads) in zip(grid, weights.items(), strict=True):
        for head, ax in enumerate(axes):
            if head >= len(heads):
                ax.axis("off")
                continue
            ax.imshow(heads[head].numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
            decoder = "decoder" in name
            label(ax.set_yticks, words.get("target" if decoder else "source", []))
            label(ax.set_xticks, words.get("target" if decoder and "memory" not in name else "source", []), rotation=90)
            if head == 0:
                ax.set_ylabel(name.removeprefix("net."), fontsize="x-small")
    return figure


def label(ticks: Callable[..., Any], words: list[str], rotation: float = 0) -> None:
    if len(words) > MOST_WORDS:
        words = []
    shown = [word.replace("\n", "\\n").replace("$", r"\$") or "''" for word in words]
    ticks(range(len(shown)), shown, fontsize=5, rotation=rotation)
