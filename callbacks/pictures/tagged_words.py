"""``tagged_words.png``: some test sentences; the names that were found, and those that were missed."""

from typing import Any

from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch.nn.functional import pad

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute

COLORS = ("tab:blue", "tab:green", "tab:orange", "tab:purple", "tab:red", "tab:brown", "tab:pink", "tab:olive")
LONGEST = 120  # characters of a line
WIDEST = 160  # tokens of a sentence that are kept


class TaggedWords(TestPicture):
    """Collects ``outputs["tags"]`` (B, T) of the test batches ``(tokens, tags)``; -100 marks tokens without a tag.

    Args:
        sentences: The number of sentences, from the beginning of the split.
    """

    name = "tagged_words"

    def __init__(self, sentences: int = 12) -> None:
        self.max_rows = sentences

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        if not data_attribute(trainer, "tagged_words"):
            return None
        truth, found = batch[1][:, :WIDEST], outputs["tags"][:, :WIDEST]
        wider = (0, WIDEST - truth.shape[1])  # batches, and processes, have other widths
        return {"truth": pad(truth, wider, value=-100), "found": pad(found, wider)}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        names: list[str] = data_attribute(trainer, "class_names") or []
        words: list[list[str]] = data_attribute(trainer, "tagged_words")["test"]
        lines = []
        for row, truth, guess in zip(words, found["truth"], found["found"], strict=False):
            counts = truth >= 0
            tags = zip(truth[counts].tolist(), guess[counts].tolist(), strict=True)
            lines.append([(w, names[t], names[g]) for w, (t, g) in zip(row, tags, strict=False)])
        return draw_tags(lines)


def draw_tags(lines: list[list[tuple[str, str, str]]]) -> Figure:
    """A line for each sentence of (word, true tag, tag found): the color is the kind found; a frame is an error."""
    kinds = sorted({tag.partition("-")[2] for line in lines for _, *tags in line for tag in tags} - {""})
    longest = min(LONGEST, max(sum(len(word) + 1 for word, _, _ in line) for line in lines))
    figure = new_figure(min(16.0, 0.09 * longest + 0.5), 0.32 * len(lines) + 0.7)
    ax = figure.subplots()
    ax.set_axis_off()
    ax.set(xlim=(0, longest), ylim=(len(lines), -1.2))
    color = {kind: COLORS[k % len(COLORS)] for k, kind in enumerate(kinds)}
    for k, kind in enumerate(kinds):
        ax.text(k * longest / max(4, len(kinds)), -0.9, kind, color=color[kind], weight="bold", fontsize="small")
    for y, line in enumerate(lines):
        x = 0.0
        for word, truth, guess in line:
            if x + len(word) > LONGEST:
                break
            kind = guess.partition("-")[2]
            shown: dict[str, Any] = {"color": color.get(kind, "0.35"), "weight": "bold" if kind else "normal"}
            if truth != guess:
                shown["bbox"] = {"facecolor": "none", "edgecolor": "red", "pad": 1.5}
            ax.text(x, y, word.replace("$", r"\$"), fontsize="small", family="monospace", va="center", **shown)
            x += len(word) + 1
    return figure
