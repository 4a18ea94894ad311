"""``words.png``: word vectors in the plane of their two largest principal components."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import FitPicture
from common.data_protocol import data_attribute


class WordMap(FitPicture):
    """Draws words of ``datamodule.vocabulary``, by the model's ``vectors()``: tested words first, then by frequency.

    Args:
        num_words: Number of words.
    """

    name = "words"

    def __init__(self, num_words: int = 60) -> None:
        self.num_words = num_words

    def look(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any] | None:
        vocabulary = data_attribute(trainer, "vocabulary")
        model: Any = pl_module
        if not vocabulary or not hasattr(model, "vectors"):
            return None
        tested = [w for name in ("analogies", "neighbors") for w in tested_words(trainer, name)]
        words = list(dict.fromkeys([w for w in tested if w in set(vocabulary)] + vocabulary))[: self.num_words]
        number = {word: i for i, word in enumerate(vocabulary)}
        vectors = model.vectors()
        return {"words": words, "places": principal(vectors[[number[word] for word in words]].detach().cpu())}

    def draw(self, trainer: Trainer, found: dict[str, Any]) -> Figure:
        return draw_words(found["words"], found["places"])


def tested_words(trainer: Trainer, name: str) -> list[str]:
    """The words of the first test of a kind."""
    rows: list[Any] = next(iter(data_attribute(trainer, "word_tests", {}).get(name, {}).values()), [])
    return [word for row in rows for word in row if isinstance(word, str)]


def principal(vectors: Tensor) -> Tensor:
    """Vectors (N, E) of length one, centered, on their two largest principal components (N, 2)."""
    x = torch.nn.functional.normalize(vectors.float(), dim=1)
    u, s, _ = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    return u[:, :2] * s[:2]


def draw_words(words: list[str], places: Tensor) -> Figure:
    """Each word at its place."""
    figure = new_figure(8, 7)
    ax = figure.subplots()
    ax.scatter(places[:, 0].tolist(), places[:, 1].tolist(), s=4, color="tab:gray")
    for word, place in zip(words, places.tolist(), strict=True):
        ax.annotate(word.replace("$", r"\$"), place, fontsize="small")
    ax.set(xlabel="first component", ylabel="second component")
    return figure
