"""``heads.png``: the attention weights of each head of each layer for one test sample, with the words at the axes."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.attention_weights import attention_weights
from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.byte_tokens import readable_tokens
from common.data_protocol import data_attribute

MOST_WORDS = 48  # more labels than this cannot be read


class HeadMaps(TestPicture):
    """Draws the attention of one row of the test split: a row of maps for each attention, a column for each head.

    The words come from the datamodule: ``source_tokens(ids)`` and ``target_tokens(ids)`` for a batch ``(source,
    source_length, target_in, target_out)``, ``tokenizer.tokens`` for a batch ``(tokens, targets)``.

    Args:
        row: Row number in the test split; the last row of a smaller one.
        max_tokens: Largest number of tokens drawn for a batch ``(tokens, targets)``.
    """

    name = "heads"

    def __init__(self, row: int = 0, max_tokens: int = 32) -> None:
        self.row, self.max_rows, self.max_tokens = row, row + 1, max_tokens

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        names = ("source", "length", "target") if len(batch) == 4 else ("source",)
        return dict(zip(names, batch, strict=False))

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> tuple[Rows, Rows] | None:
        row = min(self.row, len(rows["source"]) - 1)
        inputs = trim({name: t[row:] for name, t in rows.items()}, self.max_tokens)
        weights = attention_weights(pl_module, *(t.to(pl_module.device) for t in inputs.values()))
        return (inputs, {name: w[0] for name, w in weights.items()}) if weights else None

    def draw(self, trainer: Trainer, found: Any) -> Figure:
        inputs, weights = found
        tokenizer: Any = data_attribute(trainer, "tokenizer")
        namers = {side: data_attribute(trainer, f"{side}_tokens") for side in ("source", "target")}
        if "target" not in inputs:
            namers["source"] = partial(readable_tokens, tokenizer) if hasattr(tokenizer, "tokens") else None
        words = {
            side: namer(inputs[side][0].tolist())
            for side, namer in namers.items()
            if namer and side in inputs and inputs[side].ndim == 2
        }
        return draw_heads(weights, words)


def trim(rows: Rows, max_tokens: int) -> Rows:
    """The inputs of one row without padding: ``source``, and of a pair of texts ``length`` and ``target``."""
    source = rows["source"]
    if "target" not in rows:
        return {"source": source[:, :max_tokens] if source.ndim == 2 else source}
    longest = int((rows["target"][0] != 0).sum())
    return rows | {"source": source[:, : int(rows["length"][0])], "target": rows["target"][:, :longest]}


def draw_heads(weights: dict[str, Tensor], words: dict[str, list[str]]) -> Figure:
    """Draws the weights (H, Q, K) of each attention: a row per query, a column per key, darker for larger weights.

    ``words`` names the positions of ``source`` and ``target``: the queries of a module in a ``decoder`` are the
    target's, and so are its keys, unless it is a ``cross_attention``.
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
            label(
                ax.set_xticks,
                words.get("target" if decoder and "cross_attention" not in name else "source", []),
                rotation=90,
            )
            if head == 0:
                ax.set_ylabel(name.removeprefix("net."), fontsize="x-small")
    return figure


def label(ticks: Callable[..., Any], words: list[str], rotation: float = 0) -> None:
    if len(words) > MOST_WORDS:
        words = []
    shown = [word.replace("\n", "\\n").replace("$", r"\$") or "''" for word in words]
    ticks(range(len(shown)), shown, fontsize=5, rotation=rotation)
