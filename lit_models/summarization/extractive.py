"""A classifier of sentences: those that make the summary are taken as they are.

Nallapati et al. 2017 (labels by a greedy oracle, which raises ROUGE); Liu and Lapata 2019, BertSum: one ``[CLS]`` for
each sentence, segments that alternate. The encoder is ours of ``lit_models/bert``, with published weights by
``model.weights``.
Departs from BertSum: no transformer over the sentences' vectors; ``pooling`` ``mean`` takes the mean over a sentence in
place of its ``[CLS]``.

    dive fit summarization/extractive                documents of planted facts in nine languages, offline
    dive fit summarization/extractive_scitldr        one sentence of an abstract, with all-MiniLM-L6-v2
    dive predict summarization/extractive --data ExtractFile --data.path FILE.jsonl
    dive generate summarization/extractive --prompt "..." --method textrank

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torchmetrics import MeanMetric, SumMetric

from common.generation import Output
from common.messages import UserError
from lit_models.bert.heads import BertHead, know_texts
from lit_models.functional.rouge import corpus_rouge
from lit_models.layers.precision import at_least_float32
from lit_models.summarization.selection import greedy_oracle, joined, lead
from lit_models.summarization.textrank import textrank
from lit_models.tasks.processes import gather_rows
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


class ExtractiveBert(BertHead):
    """tokens (B, T), ``[CLS] a [SEP] [CLS] b [SEP] ...`` -> a logit for each token (B, T); a sentence's is its first.

    Args:
        vocab_size, num_classes, hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id: See
            ``BertHead``; ``num_classes`` is 1.
        init_std, init_positions, pooling, frozen, lora_rank, lora_alpha: See ``BertHead``; here ``none`` means a
            sentence's first token, ``mean`` all of its tokens.
    """

    rows_at_once = 16  # documents are long

    def begins(self, tokens: Tensor) -> Tensor:
        """Where sentences begin (B, T): at the first token, and behind each ``[SEP]`` but the last."""
        before = F.pad(tokens[:, :-1], (1, 0), value=self.bert.sep_id)
        return (before == self.bert.sep_id) & (tokens != self.bert.pad_id)

    def _features(self, tokens: Tensor) -> Tensor:
        real = tokens != self.bert.pad_id
        number = self.begins(tokens).long().cumsum(1) - 1  # (B, T): of each token's sentence
        x = self.bert.embeddings(tokens, number % 2 * real)
        states: Tensor = self.bert.encoder(x, real[:, None, None])
        if self.pooling != "mean":
            return states
        place = number.clamp(min=0)[..., None].expand_as(states)
        sums = torch.zeros_like(states).scatter_add(1, place, states * real[..., None])
        counts = torch.zeros_like(states).scatter_add(1, place, real[..., None].expand_as(states).to(states.dtype))
        return (sums / counts.clamp(min=1)).gather(1, place)

    def compact(self, features: Tensor, tokens: Tensor) -> Tensor:
        """The vector of each sentence: (B, S, D), zeros behind a document's last."""
        begins = self.begins(tokens)
        return pad_sequence(features[begins].split(begins.sum(1).tolist()), batch_first=True)

    def spread(self, kept: Tensor, tokens: Tensor) -> Tensor:
        """Each token has the vector of its sentence: (B, T, D)."""
        number = (self.begins(tokens).long().cumsum(1) - 1).clamp(min=0)
        return kept.gather(1, number[..., None].expand(-1, -1, kept.shape[-1]))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.classifier(self.features(tokens)).squeeze(2)


@trains(ExtractiveBert)
class LitExtractive(Task):
    """``ExtractiveBert`` trained by binary cross-entropy on the oracle's choice. Batch: tokens (B, T), and the number
    (B,) of each document's first sentence in its split, or, without a datamodule, the labels (B, S), -1 for none.

    Logs ``train/loss``, ``val/loss``, ``val/f1``, and of the test ``loss``, ``f1`` (of chosen sentences against the
    oracle's), and ROUGE ``r1``, ``r2``, ``rl`` of the summaries, of the first sentences (``lead_r1`` ...), of TextRank
    (``textrank_r1`` ...) and of the oracle (``oracle_r1`` ...), each of at most ``max_sentences``.

    Args:
        num_classes, pooling: As of ``BertHead``.
        max_sentences: Of a summary.
        threshold: Probability from which a sentence is chosen; the best one is always.
        **task: See ``Task``.
    """

    output_means = "A logit for each token: a sentence's is that of its [CLS]; its sigmoid is a probability."

    def __init__(
        self,
        num_classes: int = 1,
        pooling: str = "none",
        max_sentences: int = 3,
        threshold: float = 0.5,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if max_sentences < 1:
            raise UserError(f"model.max_sentences is {max_sentences}: give a whole number of at least 1")
        self.max_sentences, self.threshold = max_sentences, threshold
        self.losses = nn.ModuleDict({stage: MeanMetric() for stage in ("val", "test")})
        self.counts = nn.ModuleDict({f"{stage}_{k}": SumMetric() for stage in ("val", "test") for k in range(3)})
        self.labels: dict[str, Tensor] = {}  # of all sentences of a split, by the oracle
        self.chosen: list[tuple[int, list[int]]] = []  # first sentence and chosen ones of this rank's test rows

    # -- labels -------------------------------------------------------------------------------------------------------

    def documents(self, split: str) -> list[list[str]]:
        """The sentences of each document of a split."""
        every: list[str] = self.data_attribute("document_sentences")[split]
        starts = self.data_attribute("splits")[split][1].tolist()
        return [every[start:end] for start, end in zip(starts, [*starts[1:], len(every)], strict=True)]

    def oracle(self, split: str) -> Tensor:
        """1 for each sentence of a split that the oracle chooses, else 0."""
        if split not in self.labels:
            stem = bool(self.data_attribute("english", False))
            references: list[list[str]] = self.data_attribute("reference_sets")[split]
            found: list[float] = []
            for sentences, true in zip(self.documents(split), references, strict=True):
                chosen = greedy_oracle(sentences, true, self.max_sentences, stem)
                found += [float(i in chosen) for i in range(len(sentences))]
            self.labels[split] = torch.tensor(found)
        return self.labels[split]

    def targets(self, logits: Tensor, tokens: Tensor, given: Tensor, split: str) -> tuple[Tensor, Tensor]:
        """The logits and labels of the sentences of a batch, row by row (N,)."""
        begins: Tensor = self.net.begins(tokens)  # type: ignore[operator]
        if given.ndim == 2:
            return logits[begins], given[given >= 0].to(logits.dtype)
        number = given[:, None] + begins.long().cumsum(1) - 1
        return logits[begins], self.oracle(split).to(logits)[number[begins]]

    # -- training -----------------------------------------------------------------------------------------------------

    def on_train_start(self) -> None:
        super().on_train_start()
        know_texts(self)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, given = batch
        logits, labels = self.targets(at_least_float32(self(tokens)), tokens, given, "train")
        loss = F.binary_cross_entropy_with_logits(logits, labels)
        self.record_train_loss(loss, torch.tensor(float(len(labels)), device=loss.device))
        return loss

    def choose(self, tokens: Tensor) -> tuple[Tensor, list[list[int]]]:
        """The logits (B, T), and which sentences of each row make its summary, in their order."""
        logits = at_least_float32(self(tokens))
        begins: Tensor = self.net.begins(tokens)  # type: ignore[operator]
        chosen = []
        for row, there in zip(logits.sigmoid(), begins, strict=True):
            p = row[there]
            best = p.argsort(descending=True, stable=True)[: self.max_sentences].tolist()
            chosen.append(sorted(i for k, i in enumerate(best) if k == 0 or float(p[i]) > self.threshold))
        return logits, chosen

    def evaluate(self, batch: tuple[Tensor, Tensor], stage: str) -> list[list[int]]:
        tokens, given = batch
        every, chosen = self.choose(tokens)
        logits, labels = self.targets(every, tokens, given, stage)
        self.losses[stage].update(F.binary_cross_entropy_with_logits(logits, labels), len(labels))  # type: ignore[operator]
        sizes = self.net.begins(tokens).sum(1).tolist()  # type: ignore[operator]
        picked = [float(i in row) for row, size in zip(chosen, sizes, strict=True) for i in range(size)]
        guess = torch.tensor(picked, device=labels.device)
        for k, value in enumerate((guess * labels, guess, labels)):
            self.counts[f"{stage}_{k}"].update(value.sum())  # type: ignore[operator]
        return chosen

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluate(batch, "val")

    def _log(self, stage: str) -> None:
        both, guessed, true = (self.counts[f"{stage}_{k}"].compute() for k in range(3))  # type: ignore[operator]
        for k in range(3):
            self.counts[f"{stage}_{k}"].reset()  # type: ignore[operator]
        self.log(f"{stage}/loss", self.losses[stage])  # type: ignore[arg-type]
        self.log(f"{stage}/f1", 2 * both / (guessed + true).clamp(min=1), prog_bar=stage == "val")

    def on_validation_epoch_end(self) -> None:
        self._log("val")

    # -- test and use -------------------------------------------------------------------------------------------------

    def on_test_epoch_start(self) -> None:
        self.chosen = []

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        chosen = self.evaluate(batch, "test")
        if batch[1].ndim == 1:
            self.chosen += zip(batch[1].tolist(), chosen, strict=True)

    def on_test_epoch_end(self) -> None:
        self._log("test")
        if not (rows := gather_rows(self, self.chosen)):
            return
        starts: list[int] = self.data_attribute("splits")["test"][1].tolist()
        documents, references = self.documents("test"), self.data_attribute("reference_sets")["test"]
        stem, most = bool(self.data_attribute("english", False)), self.max_sentences
        numbers = [starts.index(first) for first, _ in rows]
        texts, true = [documents[i] for i in numbers], [references[i] for i in numbers]
        labels = self.oracle("test")
        ways: dict[str, list[list[int]]] = {
            "": [chosen for _, chosen in rows],
            "lead_": [lead(text, most) for text in texts],
            "textrank_": [textrank(text, most, stem) for text in texts],
            "oracle_": [
                labels[first : first + len(text)].nonzero().flatten().tolist()
                for (first, _), text in zip(rows, texts, strict=True)
            ],
        }
        found = {
            f"test/{way}{name}": value
            for way, chosen in ways.items()
            for name, value in corpus_rouge(list(map(joined, texts, chosen)), true, stem).items()
        }
        self.log_dict(found, sync_dist=True)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``target`` (B, max_sentences): the numbers of the chosen sentences in the split, then -1."""
        tokens, first = batch
        rows = [
            [int(start) + i for i in chosen]
            for start, chosen in zip(first.tolist(), self.choose(tokens)[1], strict=True)
        ]
        padded = [row + [-1] * (self.max_sentences - len(row)) for row in rows]
        return {"target": torch.tensor(padded, device=tokens.device)}

    def generate(
        self,
        data: Any,
        prompts: Sequence[str],
        *,
        method: Literal["network", "lead", "textrank"] = "network",
        sentences: int = 0,
    ) -> Iterator[Output]:
        """The summary of each text.

        Args:
            data: Has the tokenizer, and cuts texts into sentences.
            prompts: Texts.
            method: How sentences are chosen; the last two need no training.
            sentences: At most so many; 0 means the model's own number.
        """
        if not prompts or not all(text.strip() for text in prompts):
            raise UserError("what is to be summarized? --prompt TEXT")
        if sentences < 0:
            raise UserError(f"--sentences is {sentences}: give at least 1")
        most = sentences or self.max_sentences
        before, self.max_sentences = self.max_sentences, most
        try:
            for n, text in enumerate(prompts):
                parts: list[str] = data.sentences(text)
                chosen = lead(parts, most)
                if method == "textrank":
                    chosen = textrank(parts, most, bool(getattr(data, "english", False)))
                elif method == "network":
                    tokens = data.encode_documents([parts]).long().to(self.device)
                    with torch.no_grad():
                        chosen = self.choose(tokens)[1][0]
                yield Output(n, f"{joined(parts, chosen)}\n")
        finally:
            self.max_sentences = before
