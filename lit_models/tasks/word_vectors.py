"""Word vectors. Batch: what the model is trained on, ``(center, context)`` or ``(row, column, count)``; see
``datamodules/text/word_corpus.py``. A subclass supplies ``mean_loss``; its network has ``vectors()`` (V, E).

After the test, the vectors are tried with what the datamodule has for that (``word_tests``): human judgments of
similarity, analogies, known neighbors.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from lit_models.functional.word_similarity import nearest, word_metrics
from lit_models.tasks.processes import precise
from lit_models.tasks.task import Task


class WordVectors(Task):
    """Trains ``self.net`` by the mean of ``mean_loss``.

    Logs ``train/loss``, ``val/loss``, ``test/loss``, and a metric for each test of the datamodule with its coverage,
    the fraction of questions whose words are all in the vocabulary, where that is not 1. Of words that are not in the
    vocabulary, if the network can spell them (``vectors_of``), the fraction of their ten nearest that are right ones.

    Args:
        **task: See ``Task``.
    """

    output_means = "Scores of words: their dot products with the vector of the input words."

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.example_input = (torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1, dtype=torch.long))

    def mean_loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | int]:
        """The mean loss of a batch, and of how many terms it is the mean."""
        raise NotImplementedError

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss, count = self.mean_loss(batch)
        self.record_train_loss(loss, count)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.val_loss.update(*self.mean_loss(batch))

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.test_loss.update(*self.mean_loss(batch))

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        vocabulary: list[str] = self.data_attribute("vocabulary") or []
        tests: dict[str, Any] = self.data_attribute("word_tests") or {}
        vectors = self.vectors()[: len(vocabulary)].to(precise(self.device))
        found = word_metrics(vectors, vocabulary, tests)
        for name, asked in tests.get("unseen", {}).items():
            net: Any = self.net
            if hasattr(net, "vectors_of"):
                spelled = net.vectors_of([word for word, _ in asked]).to(vectors)
                right = [
                    vocabulary[k] in set(good)
                    for vector, (_, good) in zip(spelled, asked, strict=True)
                    for k in nearest(vectors, vector)[0].tolist()
                ]
                found[name] = sum(right) / len(right)
        self.log_dict({f"test/{name}": value for name, value in found.items()}, sync_dist=True)

    @torch.no_grad()
    def vectors(self) -> Tensor:
        """The vector of each word (V, E), those that are never met too."""
        return self.net.vectors().float()  # type: ignore[operator]

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``vector`` (B, E) of words (B,)."""
        words = batch if isinstance(batch, Tensor) else batch[0]
        return {"vector": self.net.vectors()[words].float()}  # type: ignore[operator]
