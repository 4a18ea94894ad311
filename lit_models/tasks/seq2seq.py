"""Sequence to sequence. Batch: ``(source, source_length, target_in, target_out)``.

source (B, S), target_in and target_out (B, T) are int64, source_length (B,) counts a source's real tokens. target_in
begins with ``bos_id``, target_out ends with ``eos_id``, both are padded with ``pad_id``; padding is ignored in
every loss and metric.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.generation import Output
from common.messages import UserError, note, refuse_negative
from lit_models.functional.beam import Hypothesis, beam_search
from lit_models.functional.decoding import OUT, Step, generate
from lit_models.functional.repeats import without_repeats
from lit_models.functional.state import reorder
from lit_models.functional.translation_scores import SAMPLES, corpus_score, has_marks, mark_error_rate, without_marks
from lit_models.layers.precision import at_least_float32
from lit_models.layers.pretrained import put_run, with_own_prefix
from lit_models.layers.weight_files import read_weights
from lit_models.tasks.parent_vocabulary import parent_rows, processor_beside, with_rows
from lit_models.tasks.processes import gather_rows, own_rows, rank_and_world
from lit_models.tasks.task import Task
from lit_models.tasks.trains import parameters_of


class Seq2Seq(Task):
    """Trains ``self.net(source, source_length, target_in) -> logits (B, T, V)`` by cross-entropy in nats.

    In training, each next token is predicted from the true tokens before it (teacher forcing). For generation the
    network has two methods: ``net.encode(source, source_length) -> memory`` and ``net.decode(target_in, memory, state)
    -> (logits, state)``, where state None is the beginning. Every tensor of memory and state has the batch first.

    Logs ``train/loss``, ``val/loss``, ``val/perplexity``, ``test/loss`` and ``test/perplexity``; for its outputs to
    the test sources also ``test/bleu`` and ``test/chrf`` (sacreBLEU's BLEU and chrF++, 0 to 100), ``test/exact``
    (fraction of exact matches) and, where the references have marks on letters, ``test/chrf_unmarked`` and
    ``test/mark_errors`` (``functional/translation_scores.py``). If the datamodule names parts of a split (``subsets``),
    each has its own ``test/chrf_NAME`` and ``test/exact_NAME``.
    The texts come from the datamodule: ``decode_target(ids) -> list[str]`` turns ids (B, L) into sentences,
    and ``references["test"]`` has the true ones. Without a datamodule, ids are compared.

    Args:
        pad_id, bos_id, eos_id: The special tokens.
        max_length: Maximum number of tokens of an output.
        beam_width: Beams of the generation; 1 is greedy.
        length_penalty: See ``beam_search``.
        no_repeat: An output has no sequence of so many tokens twice, as transformers' ``no_repeat_ngram_size``; 0
            permits it. A small network that has seen little repeats itself.
        label_smoothing: Fraction of the target spread over all tokens, in training only (Vaswani et al. 2017: 0.1).
        **task: See ``Task``.
    """

    output_means = "Logits of each target's next token: softmax over dimension 2 gives its probabilities."

    def __init__(
        self,
        pad_id: int = 0,
        bos_id: int = 1,
        eos_id: int = 2,
        max_length: int = 64,
        beam_width: int = 1,
        length_penalty: float = 0.75,
        no_repeat: int = 0,
        label_smoothing: float = 0.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.pad_id, self.bos_id, self.eos_id, self.max_length = pad_id, bos_id, eos_id, max_length
        refuse_negative(no_repeat=no_repeat)
        self.beam_width, self.length_penalty, self.no_repeat = beam_width, length_penalty, no_repeat
        self.label_smoothing = label_smoothing
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.generated: list[tuple[str, str, int]] = []  # output, reference and row of this rank's test rows

    def mean_loss(self, batch: tuple[Tensor, ...], label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """The mean over a batch's real target tokens, and their number."""
        *inputs, target = batch
        logits = at_least_float32(self(*inputs)).flatten(0, 1)  # (B * T, V)
        total = F.cross_entropy(
            logits, target.flatten(), ignore_index=self.pad_id, reduction="sum", label_smoothing=label_smoothing
        )
        count = (target != self.pad_id).sum()
        return total / count.clamp(min=1), count

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss, count = self.mean_loss(batch, self.label_smoothing)
        self.record_train_loss(loss, count)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.val_loss.update(*self.mean_loss(batch))

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        self.log("val/perplexity", self.val_loss.compute().exp(), prog_bar=True)

    def take_weights(self) -> None:
        """As ``Task``; of a run with other vocabularies each token's rows are found by its text."""
        processor = self.data_attribute("processor")
        rows = parent_rows(processor(), processor_beside(self.weights)) if processor else {}
        if not rows:
            return super().take_weights()
        file = read_weights(self.weights)
        file.tensors = with_rows(self.net.state_dict(), with_own_prefix(self.net, file.tensors), rows)
        network = parameters_of(getattr(type(self), "network"))  # noqa: B009 - of @trains
        compared = [name for name in network if name in self.hparams and not name.endswith("vocab_size")]
        put_run(self.net, file, {name: self.hparams[name] for name in compared})
        known = " and ".join(f"{int((row >= 0).sum()):,} of {len(row):,} {side}" for side, row in rows.items())
        note(
            f"{self.weights} has other vocabularies: {known} tokens are in both and take its rows, the others begin "
            "anew (--data.vocabulary with the run's folder would take its vocabularies)"
        )

    # -- generation ---------------------------------------------------------------------------------------------------

    def step_function(self, memory: Any) -> Step:
        """``step(tokens (B,), state) -> (log-probabilities (B, V), state)`` for ``functional.decoding`` and ``beam``.

        Padding and the beginning are banned tokens, unless they are the end too.
        """
        banned_ids = [i for i in (self.pad_id, self.bos_id) if i != self.eos_id]

        def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
            logits, state = self.net.decode(tokens[:, None], memory, state)  # type: ignore[operator]
            banned = torch.tensor(banned_ids, device=logits.device)
            return logits[:, -1].float().index_fill(1, banned, OUT).log_softmax(1), state

        return without_repeats(step, self.no_repeat) if self.no_repeat else step

    def generate_tokens(self, source: Tensor, source_length: Tensor, max_length: int = 0) -> Tensor:
        """The outputs (B, L) to sources (B, S), ``pad_id`` after the end; by beam search where ``beam_width`` > 1."""
        if self.beam_width > 1:
            best = [
                n_best[0].tokens for n_best in self.hypotheses(source, source_length, self.beam_width, 1, max_length)
            ]
            rows = [torch.tensor(tokens, device=source.device) for tokens in best]
            return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.pad_id)
        with torch.no_grad():
            memory = self.net.encode(source, source_length)  # type: ignore[operator]
        ids = generate(
            self.step_function(memory),
            source.new_full((len(source),), self.bos_id),
            None,
            max_length or self.max_length,
            stop=[self.eos_id],
        )
        ended = (ids == self.eos_id).cumsum(1) - (ids == self.eos_id).long() > 0  # after the first end
        return ids.masked_fill(ended, self.pad_id)

    def generate_with_inputs(self, source: Tensor, source_length: Tensor) -> tuple[Tensor, Tensor, Any]:
        """Generated ids (B, T), the decoder's inputs that led to them (B, T), and the memory: for an ``alignment``."""
        ids = self.generate_tokens(source, source_length)
        target_in = torch.cat([torch.full_like(ids[:, :1], self.bos_id), ids[:, :-1]], 1)
        return ids, target_in, self.net.encode(source, source_length)  # type: ignore[operator]

    def outputs(self, source: Tensor, source_length: Tensor, max_length: int = 0) -> Tensor:
        """``generate_tokens``, with no tokens for a source that is empty but for its end: all would be invented."""
        ids = self.generate_tokens(source, source_length, max_length)
        empty = (source_length <= 1) & (source[:, 0] == self.eos_id)
        return ids.masked_fill(empty[:, None], self.pad_id)

    def hypotheses(
        self, source: Tensor, source_length: Tensor, width: int, num_best: int = 1, max_length: int = 0
    ) -> list[list[Hypothesis]]:
        """The ``num_best`` best outputs to each source, by a beam of ``width``."""
        with torch.no_grad():
            memory = self.net.encode(source, source_length)  # type: ignore[operator]
        beams = torch.arange(len(source), device=source.device).repeat_interleave(width)
        return beam_search(
            self.step_function(reorder(memory, beams)),  # the beams of a source share its memory: repeated once
            source.new_full((len(source),), self.bos_id),
            None,
            width,
            max_length or self.max_length,
            self.eos_id,
            self.length_penalty,
            num_best,
        )

    def generate(
        self,
        data: Any,
        prompts: Sequence[str],
        *,
        max_tokens: int = 200,
        beam: int = 1,
        n_best: int = 1,
    ) -> Iterator[Output]:
        """The output to each prompt, or the ``n_best`` of a beam with their scores (log P / L^alpha).

        Args:
            data: Has the texts' tokenizers (``common/data_protocol.py``).
            prompts: Source texts.
            max_tokens: Maximum number of tokens of an output; the model's own ``max_length`` limits it too.
            beam: Beams; 1 is greedy.
            n_best: Outputs to each prompt.
        """
        if not prompts:
            raise UserError("what is to be translated? --prompt TEXT")
        if n_best > beam:
            raise UserError(f"--n_best {n_best} needs --beam {n_best} or more")
        for name, number in (("max_tokens", max_tokens), ("beam", beam), ("n_best", n_best)):
            if number < 1:
                raise UserError(f"--{name} is {number}: give at least 1")
        for text in prompts:
            check_source(data, text)
        source, length = (t.to(self.device) for t in data.encode_source(prompts))
        most = min(max_tokens, self.max_length)
        if beam == 1:
            targets = data.decode_target(self.outputs(source, length, most))
            for n, (text, target) in enumerate(zip(prompts, targets, strict=True)):
                yield Output(n, f"{text} => {target}\n")
            return
        n_bests = self.hypotheses(source, length, beam, n_best, most)
        for n, (text, found) in enumerate(zip(prompts, n_bests, strict=True)):
            found = found if int(length[n]) > 1 else []
            lines = [f"  {h.score:8.3f}  {data.decode_target(torch.tensor([h.tokens]))[0]}\n" for h in found]
            yield Output(n, "".join([f"{text} =>\n", *lines]))

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        """Returns ``target`` (B, max_length): the output to each source, padded."""
        ids = self.outputs(batch[0], batch[1])
        return {"target": F.pad(ids, (0, self.max_length - ids.shape[1]), value=self.pad_id)}

    # -- test ---------------------------------------------------------------------------------------------------------

    def on_test_epoch_start(self) -> None:
        self.generated = []

    def texts(self, ids: Tensor) -> list[str]:
        """Sentences from ids (B, L)."""
        decode = self.data_attribute("decode_target")
        if decode is not None:
            return list(decode(ids))
        special = {self.pad_id, self.bos_id, self.eos_id}
        return [" ".join(str(i) for i in row if i not in special) for row in ids.tolist()]

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        self.test_loss.update(*self.mean_loss(batch))
        ids = self.generate_tokens(batch[0], batch[1])
        true: Sequence[str] | None = self.data_attribute("references", {}).get("test")
        done, world = len(self.generated), rank_and_world(self)[1]
        references = own_rows(self, true, done, len(ids)) if true else self.texts(batch[3])
        rows = own_rows(self, range((done + len(ids)) * world), done, len(ids))
        self.generated += zip(self.texts(ids), references, rows, strict=True)
        return {"target": ids}

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        self.log("test/perplexity", self.test_loss.compute().exp())
        rows = gather_rows(self, self.generated)
        outputs, references, numbers = [list(side) for side in zip(*rows, strict=True)]
        found: dict[str, float] = {}
        for name in ("bleu", "chrf"):
            score = corpus_score(name, outputs, references, SAMPLES if self.data_attribute("intervals", False) else 0)
            found[name] = score.value
            if self.trainer.is_global_zero:
                form = self.data_attribute("reference_form", "")
                title = "sacreBLEU" if name == "bleu" else "chrF++"
                print(f"{title} {score}" + (f" (references in {form})" if form else ""))
        right = [output == reference for output, reference in zip(outputs, references, strict=True)]
        found["exact"] = sum(right) / len(right)
        if has_marks(references):
            bare = [list(map(without_marks, side)) for side in (outputs, references)]
            found["chrf_unmarked"] = corpus_score("chrf", bare[0], bare[1]).value
            found["mark_errors"] = mark_error_rate(outputs, references)
        subsets: dict[str, Sequence[bool]] = self.data_attribute("subsets", {}).get("test", {})
        for name, member in subsets.items():
            part = [i for i, number in enumerate(numbers) if member[number]]
            if part:
                texts = [[side[i] for i in part] for side in (outputs, references)]
                found[f"chrf_{name}"] = corpus_score("chrf", texts[0], texts[1]).value
                found[f"exact_{name}"] = sum(right[i] for i in part) / len(part)
        self.log_dict({f"test/{name}": value for name, value in found.items()}, sync_dist=True)


def check_source(data: Any, text: str) -> None:
    """Prints a note on words that are not in the vocabulary; refuses a source that is longer than in training."""
    prepared = data.normalize(text)
    if unknown := data.source_tokenizer.unknown_pieces(prepared):
        note(f"{unknown[0]!r} is unknown to the model")
    if len(data.source_tokenizer.encode(prepared)) + 1 > data.max_length:
        raise UserError(f"{text!r} has more than the {data.max_length} tokens the model was trained for: shorten it")
