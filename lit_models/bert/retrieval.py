"""Retrieval before reading: sentence vectors find the passage that answers a question, and a reader finds the answer.

Karpukhin et al. 2020, "Dense passage retrieval"; Lewis et al. 2020 (RAG); Guu et al. 2020. Not in D2L; CS25; Hugging
Face course, chapter 5. What is asked is in no weights: with the right passage the reader answers, with another one or
none it cannot. A retriever and a reader, two small BERTs, are trained together on questions with their passages: the
retriever by the contrastive loss (``lit_models/functional/contrastive.py``), for which the other passages of the batch
are the wrong ones, the reader by the places of the answer.
Departs from the paper: one encoder for questions and passages, whose vectors are means
(``lit_models/bert/sentences.py``).

    dive fit bert/retrieval                                         Python's documentation with planted facts, offline
    dive fit bert/retrieval --model.retriever_weight 0              vectors as they were drawn

The numbers they reach are in RESULTS.md.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.messages import refuse_negative
from lit_models.bert.encoder import STD, Bert, initialize
from lit_models.bert.sentences import sentence_vectors
from lit_models.functional.answer_spans import best_spans
from lit_models.functional.contrastive import matching_loss
from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

MEASURES = ("recall", "recall5", "exact", "exact_right", "exact_wrong", "exact_none", "loss")
LONGEST = 16  # tokens of an answer


class RetrievalReader(nn.Module):
    """Questions (B, T) and passages (B, P) -> logits (B, P, 2) of the answer's first and last token in each passage.

    Both begin with ``[CLS]`` and end with ``[SEP]``; ``vectors`` encodes either. A passage's positions
    begin behind the questions' width: questions must be padded to one width in all batches.

    Args:
        vocab_size, max_length, sep_id: See ``Bert``; ``max_length`` is of a question and a passage together.
        hidden_size, num_layers, num_heads: Of the reader.
        retriever_layers: Of the retriever, which is as wide.
        dropout, init_std: See ``Bert``.
    """

    def __init__(
        self,
        vocab_size: int,
        max_length: int = 80,
        sep_id: int = 3,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        retriever_layers: int = 1,
        dropout: float = 0.0,
        init_std: float = STD,
    ) -> None:
        super().__init__()
        settings: Any = {"dropout": dropout, "sep_id": sep_id, "pooler": False, "init_std": init_std}
        settings |= {"hidden_size": hidden_size, "num_heads": num_heads, "max_length": max_length}
        self.retriever = Bert(vocab_size, num_layers=retriever_layers, **settings)
        self.reader = Bert(vocab_size, num_layers=num_layers, init_positions="sinusoids", **settings)
        self.qa_outputs = nn.Linear(hidden_size, 2)
        initialize(self.qa_outputs)
        self.log_scale = nn.Parameter(torch.full((1,), math.log(20)))

    def vectors(self, tokens: Tensor) -> Tensor:
        """Texts (B, T) -> vectors of length one (B, D)."""
        return sentence_vectors(self.retriever, tokens)

    def forward(self, questions: Tensor, passages: Tensor) -> Tensor:
        states, _ = self.reader(torch.cat([questions, passages[:, 1:]], 1))  # padding between them is masked
        logits = self.qa_outputs(states[:, questions.shape[1] - 1 :])
        return logits.masked_fill(~self.readable(passages)[..., None], torch.finfo(logits.dtype).min)

    def readable(self, passages: Tensor) -> Tensor:
        """Which tokens (B, P) an answer may begin and end with: neither special ones nor padding."""
        real = (passages != self.reader.pad_id) & (passages != self.reader.sep_id)
        return torch.cat([torch.zeros_like(real[:, :1]), real[:, 1:]], 1)


@trains(RetrievalReader)
class LitRetrieval(Task):
    """Retriever and reader trained together. Batch: questions (B, T), the numbers (B,) of their passages, spans (B, 2).

    The datamodule has all ``passages`` (N, P). Logs ``train/loss``, and of validation and test ``loss``, the reader's;
    ``recall`` and ``recall5``, how often the right passage is the nearest, or one of the five nearest, of all; and how
    often the reader's answer is the right one to the letter: ``exact`` with the nearest passage, ``exact_right`` with
    the right one, ``exact_wrong`` with a wrong one (the next), ``exact_none`` with an empty one.

    Args:
        retriever_weight: Weight of the retriever's loss.
        **task: See ``Task``.
    """

    net: RetrievalReader
    output_means = "Logits of each token of the passage as the answer's first (0) and last (1) one."

    def __init__(self, retriever_weight: float = 1.0, **task: Any) -> None:
        super().__init__(**task)
        refuse_negative(retriever_weight=retriever_weight)
        self.retriever_weight = retriever_weight
        self.example_input = (torch.tensor([[2, 5, 3]]), torch.tensor([[2, 5, 6, 3]]))
        names = [f"{split}_{name}" for split in ("val", "test") for name in MEASURES]
        self.measures: Any = nn.ModuleDict({name: MeanMetric() for name in names})
        self.index: Tensor | None = None  # the vectors of all passages, while a split is evaluated

    def passages(self, numbers: Tensor) -> Tensor:
        """The passages (B, P) of these numbers, as wide as the longest of them."""
        found: Tensor = self.data_attribute("passages")[numbers.cpu()]
        return found[:, : int((found != self.net.reader.pad_id).sum(1).max())].to(self.device)

    def losses(self, questions: Tensor, numbers: Tensor, spans: Tensor) -> tuple[Tensor, Tensor]:
        """The retriever's and the reader's loss."""
        passages = self.passages(numbers)
        scale = self.net.log_scale.exp().clamp(max=100)
        asked, said = (at_least_float32(self.net.vectors(tokens)) for tokens in (questions, passages))
        first = 0
        if self._trainer is not None and self.trainer.training and self.trainer.world_size > 1:
            said = self.all_gather(said, sync_grads=True).flatten(0, 1)  # type: ignore[union-attr]
            first = self.global_rank * len(asked)  # the passages of all processes are candidates
        logits = at_least_float32(self(questions, passages))
        return matching_loss(asked, said, scale, first), F.cross_entropy(logits, spans)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        retriever, reader = self.losses(*batch)
        loss = self.retriever_weight * retriever + reader
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def nearest(self, questions: Tensor) -> Tensor:
        """The numbers (B, 5) of the passages whose vectors are nearest to the questions', the nearest first."""
        if self.index is None:
            parts = self.data_attribute("passages").split(512)
            self.index = torch.cat([self.net.vectors(part.to(self.device)) for part in parts])
        asked = self.net.vectors(questions)
        with full_precision(asked):  # half precision cannot tell near passages apart
            cosines = at_least_float32(asked) @ at_least_float32(self.index).T
        return cosines.topk(min(5, len(self.index)), dim=1).indices

    def answers(self, questions: Tensor, passages: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens (B, LONGEST) of the most probable answers, padded, and their places (B, 2)."""
        logits = at_least_float32(self(questions, passages))
        start, end = logits.unbind(2)
        _, first, last = best_spans(start, end, self.net.readable(passages), 1, LONGEST)
        span = torch.cat([first, last], 1)
        return span_tokens(passages, span), span

    def measure(self, batch: tuple[Tensor, ...], split: str) -> dict[str, Tensor]:
        """Adds a batch to the measures of a split."""
        questions, numbers, spans = batch
        found, right = self.nearest(questions), self.passages(numbers)
        truth = span_tokens(right, spans)
        nothing = right.clone()
        nothing[:, 1:] = F.pad(torch.full_like(right[:, 1:2], self.net.reader.sep_id), (0, right.shape[1] - 2))
        wrong = torch.where(found[:, 0] == numbers, found[:, 1], found[:, 0])
        read = {"": self.passages(found[:, 0]), "_right": right, "_wrong": self.passages(wrong), "_none": nothing}
        values = {f"exact{name}": same(self.answers(questions, p)[0], truth) for name, p in read.items()}
        values |= {"recall": found[:, 0] == numbers, "recall5": (found == numbers[:, None]).any(1)}
        values["loss"] = F.cross_entropy(at_least_float32(self(questions, right)), spans, reduction="none").mean(1)
        for name, value in values.items():
            self.measures[f"{split}_{name}"].update(value.float())
        return {"nearest": found}

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.measure(batch, "val")

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return self.measure(batch, "test")

    def on_validation_epoch_end(self) -> None:
        self.log_measures("val")

    def on_test_epoch_end(self) -> None:
        self.log_measures("test")

    def log_measures(self, split: str) -> None:
        self.index = None  # the weights change before the next evaluation
        for name in MEASURES:
            self.log(f"{split}/{name}", self.measures[f"{split}_{name}"], prog_bar=name == "exact")

    def maps(self) -> list[dict[str, Any]]:
        """For ``HeatMaps``: cosines of some validation questions and the passages that answer them."""
        questions, numbers, _ = self.data_attribute("transform")(self.data_attribute("splits")["val"])
        _, first = numbers.unique(return_inverse=True)
        rows = [int((first == k).nonzero()[0]) for k in range(min(10, int(first.max()) + 1))]
        net = self.net.eval()
        with torch.no_grad():
            vectors = [net.vectors(t.to(self.device)) for t in (questions[rows], self.passages(numbers[rows]))]
        names = [str(k + 1) for k in range(len(rows))]
        title = "cosines of questions (rows) and passages"
        return [{"title": title, "values": (vectors[0] @ vectors[1].T).clamp(min=0), "rows": names, "columns": names}]

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``passage`` (B,), the nearest one, and ``span`` (B, 2), the answer's places in it."""
        found = self.nearest(batch[0])[:, 0]
        return {"passage": found, "span": self.answers(batch[0], self.passages(found))[1]}

    def on_predict_epoch_end(self) -> None:
        self.index = None


def span_tokens(passages: Tensor, spans: Tensor) -> Tensor:
    """The tokens (B, LONGEST) from a first to a last place in passages (B, P), then 0; longer ones are cut."""
    places = spans[:, :1] + torch.arange(LONGEST, device=passages.device)
    tokens = passages.gather(1, places.clamp(max=passages.shape[1] - 1))
    return tokens.masked_fill(places > spans[:, 1:], 0)


def same(found: Tensor, truth: Tensor) -> Tensor:
    """Which rows are equal (B,)."""
    return (found == truth).all(1)
