"""BERT finds the answer to a question in a passage: the logits of its first and of its last token.

Devlin et al. 2019, 4.2 and 4.3 (SQuAD 1.1 and 2.0: no answer is the token ``[CLS]``). D2L 16.6, which describes it and
has no code. Departs from transformers: padding is left out of the softmax, so that a batch's width changes no loss.

    dive fit bert/question_answering        questions in 13 languages about names that were never seen, offline
    dive fit bert/question_answering --data SquadFile --data.path FILE.json         your own questions

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric, Metric
from torchmetrics.utilities import dim_zero_cat

from lit_models.bert.encoder import initialize
from lit_models.bert.heads import BertHead
from lit_models.functional.answer_spans import best_spans, by_question
from lit_models.functional.squad_scores import answer_scores
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


class BertQA(BertHead):
    """tokens (B, T), ``[CLS] question [SEP] passage [SEP]`` -> logits (B, T, 2) of the answer's first and last token.

    Args:
        vocab_size, hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id: See
            ``BertHead``.
        init_std, init_positions, pooling, frozen, lora_rank, lora_alpha: See ``BertHead``.
        num_classes: Two.
    """

    def add_head(self, hidden_size: int) -> None:
        self.qa_outputs = nn.Linear(hidden_size, self.num_classes)
        initialize(self.qa_outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.qa_outputs(self.features(tokens))


class Rows(Metric):
    """All rows of all processes."""

    rows: list[Tensor]
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, rows: Tensor) -> None:
        self.rows.append(rows)

    def compute(self) -> Tensor:
        return dim_zero_cat(self.rows)


@trains(BertQA)
class LitBertQA(Task):
    """``BertQA`` trained by the mean of both cross-entropies.

    Batch: tokens (B, T), the number of each window (B,), the places (B, 2) of the answer's first and last token, both 0
    where the window has none. Logs ``train/loss``, and of validation and test ``loss``, ``exact`` and ``f1`` of whole
    questions, as SQuAD's official script. The datamodule has the texts: ``window_questions``, ``answer_text`` and
    ``answers``.

    Args:
        n_best: Candidates kept of each window.
        longest: Tokens of the longest answer.
        null_bias: Added to the score of "no answer": the larger, the fewer answers.
        pooling: As of ``BertHead``: each token has its own vector.
        **task: See ``Task``.
    """

    output_means = "Logits of each token as the answer's first (0) and last (1) one; [CLS] means no answer."

    def __init__(
        self, n_best: int = 5, longest: int = 30, null_bias: float = 0.0, pooling: str = "none", **task: Any
    ) -> None:
        super().__init__(**task)
        self.n_best, self.longest, self.null_bias = n_best, longest, null_bias
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.val_rows, self.test_rows = Rows(), Rows()

    def mean_loss(self, tokens: Tensor, span: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and the logits (B, T, 2)."""
        logits = at_least_float32(self(tokens))
        bert: Any = self.net.bert
        masked = logits.masked_fill((tokens == bert.pad_id)[..., None], -torch.inf)
        return F.cross_entropy(masked, span), logits

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, _, span = batch
        loss, _ = self.mean_loss(tokens, span)
        self.record_train_loss(loss, len(tokens))
        return loss

    def candidates(self, tokens: Tensor, window: Tensor, logits: Tensor) -> Tensor:
        """The best spans of each window (B, 2 + 3 K), as ``by_question`` takes them."""
        bert: Any = self.net.bert
        passage = bert.segments(tokens).bool() & (tokens != bert.sep_id)
        start, end = logits.float().unbind(2)
        best = best_spans(start, end, passage, self.n_best, self.longest)
        found = torch.stack([part.float() for part in best], 2).flatten(1)
        if (lacking := 3 * self.n_best - found.shape[1]) > 0:
            found = F.pad(found, (0, lacking), value=-torch.inf)
        return torch.cat([window.float()[:, None], (start[:, 0] + end[:, 0])[:, None], found], 1)

    def _evaluate(self, batch: tuple[Tensor, Tensor, Tensor], loss: MeanMetric, rows: Rows) -> dict[str, Tensor]:
        tokens, window, span = batch
        mean, logits = self.mean_loss(tokens, span)
        loss.update(mean, len(tokens))
        found = self.candidates(tokens, window, logits)
        rows.update(found)
        return {"candidates": found}

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return self._evaluate(batch, self.val_loss, self.val_rows)

    def test_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return self._evaluate(batch, self.test_loss, self.test_rows)

    def answers(self, split: str, rows: Tensor) -> dict[int, list[tuple[str, float]]]:
        """Of each question the best answers and their probabilities, the best first; an empty one is "no answer".

        Args:
            split: Of the datamodule.
            rows: What ``candidates`` returned of its windows.
        """
        question: Tensor = self.data_attribute("window_questions")[split]
        text: Any = self.data_attribute("answer_text")
        found = {}
        for asked, (nothing, spans) in sorted(by_question(rows.cpu(), question).items()):
            texts: dict[str, float] = {"": nothing + self.null_bias}
            for span in spans[: self.n_best]:
                texts.setdefault(text(split, span.window, span.first, span.last), span.score)
            scores = torch.tensor(list(texts.values())).softmax(0).tolist()
            found[asked] = sorted(zip(texts, scores, strict=True), key=lambda pair: -pair[1])
        return found

    def _log(self, stage: str, loss: MeanMetric, rows: Rows) -> None:
        self.log(f"{stage}/loss", loss)
        found = rows.compute()
        rows.reset()
        right: Any = self.data_attribute("right_answers")
        if right is None:
            return
        scores = [answer_scores(best[0][0], right[stage][asked]) for asked, best in self.answers(stage, found).items()]
        for name, values in zip(("exact", "f1"), zip(*scores, strict=True), strict=True):
            self.log(f"{stage}/{name}", sum(values) / len(values), prog_bar=stage == "val", sync_dist=False)

    def on_validation_epoch_end(self) -> None:
        self._log("val", self.val_loss, self.val_rows)

    def on_test_epoch_end(self) -> None:
        self._log("test", self.test_loss, self.test_rows)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """What ``answers`` takes of each window; ``callbacks/answer_files.py`` writes the answers of questions."""
        tokens, window = batch[:2]
        return self.candidates(tokens, window, self(tokens))
