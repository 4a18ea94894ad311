"""Language modeling. Batch: ``(tokens, targets)``, both (B, T) int64: targets are the tokens one place later.

A target of ``pad_id`` is ignored in every loss and metric. Perplexity is exp of the mean over all tokens of the
split: D2L 9.5 plots the mean of the batches' perplexities, which is larger.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from common.generation import Output
from common.messages import UserError, note
from lit_models.functional.decoding import GREEDY, OUT, Sampling, Step, stream
from lit_models.functional.state import map_state, refuse_no_state, rows_of
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.answers import Answers
from lit_models.tasks.processes import gather_equal, rank_and_world
from lit_models.tasks.task import Task
from lit_models.tasks.text_generation import Draft, Together, continue_texts, sampling, with_draft


class LanguageModel(Task):
    """Trains ``self.net``, which maps tokens (B, T) to logits (B, T, V) of the next one, by cross-entropy in nats.

    A network that can continue from an earlier state also has ``net.decode(tokens, state) -> (logits, state)``. State
    None is the beginning, and every tensor of a state has the batch first. ``carry_state`` and generation use it. A
    network with a limited context handles a full context itself in ``decode``; ``for_decoding()`` may return a faster
    version of the network.

    Logs ``train/loss``, ``val/loss``, ``val/perplexity``, ``test/loss``, ``test/perplexity`` and, if the datamodule
    has the number of characters per token (``characters_per_token``), ``val/bits_per_character`` and
    ``test/bits_per_character``. A character that became ``<unk>`` costs as much as to write it down
    (``unknown_bits``). If its targets are answers (``answers``): the fraction that is right, ``val/acc`` and
    ``test/acc``, and the fraction of rows whose answers are all right, ``val/exact`` and ``test/exact``.

    Args:
        vocab_size: Number V of tokens.
        pad_id: Target that is ignored.
        carry_state: Batches follow one another in the text (sequential partitioning), and each starts from
            the final state of the previous one: truncated backpropagation through time, cut at the batch boundary. The
            state of training is saved in the checkpoint, so that a resumed run continues bit for bit. For recurrent
            networks, whose state has a fixed size; a transformer's cache only grows.
        **task: See ``Task``.
    """

    output_means = "Logits of the next token at each place: softmax over dimension 2 gives its probabilities."

    def __init__(self, vocab_size: int, pad_id: int = -1, carry_state: bool = False, **task: Any) -> None:
        super().__init__(**task)
        self.vocab_size, self.pad_id, self.carry_state = vocab_size, pad_id, carry_state
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.val_answers, self.test_answers = Answers(), Answers()
        self.carried: dict[str, tuple[int, Any]] = {}  # stage: (epoch, the state after its last batch)
        self.draft: Draft | None = None  # proposes tokens in ``generate``

    def setup(self, stage: str) -> None:
        if self.carry_state:
            refuse_no_state(self.net)
            if stage == "fit" and self.data_attribute("partition") == "random":
                raise UserError(
                    "model.carry_state goes on from batch to batch, but these are random windows of the text: "
                    "give --data.partition sequential, or --model.carry_state false"
                )

    def take_weights(self) -> None:
        """As ``Task``; weights fit one vocabulary only, and a newly built vocabulary is a different one."""
        super().take_weights()
        if self.data_attribute("tokenizer") is not None and not self.data_attribute("tokenizer_file", ""):
            note(
                "the vocabulary is made from the training text, the weights knew another one: give their own by "
                "--data.tokenizer FILE (a tokenizer.json, or the processor.json of a run)"
            )

    # -- the network, with or without an earlier state --------------------------------------------------------------

    def logits(self, tokens: Tensor, stage: str) -> Tensor:
        """(B, T) -> (B, T, V); if the state is carried, it continues from the last batch of this stage and epoch."""
        if not self.carry_state:
            return self(tokens)
        epoch, state = self.carried.get(stage, (-1, None))
        if epoch != self.current_epoch or rows_of(state) != len(tokens):
            state = None
        state = map_state(lambda t: t.to(tokens.device), state)  # a state loaded from a checkpoint is on the CPU
        logits, state = self.net.decode(tokens, state)  # type: ignore[operator]
        self.carried[stage] = (self.current_epoch, map_state(Tensor.detach, state))
        return logits

    def token_losses(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """The cross-entropy of each token (B, T), 0 where the target is padding."""
        tokens, targets = batch
        logits = self.logits(tokens, stage).flatten(0, 1)  # (B * T, V)
        if stage in ("val", "test") and self.data_attribute("answers", False):
            (self.val_answers if stage == "val" else self.test_answers).update(logits, targets, self.pad_id)
        losses = F.cross_entropy(
            at_least_float32(logits), targets.flatten(), ignore_index=self.pad_id, reduction="none"
        )
        return losses.reshape(targets.shape)

    def mean_loss(self, batch: tuple[Tensor, Tensor], stage: str) -> tuple[Tensor, Tensor]:
        """The mean over a batch's real tokens, and their number."""
        count = (batch[1] != self.pad_id).sum()
        return self.token_losses(batch, stage).sum() / count.clamp(min=1), count

    # -- steps ------------------------------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss, count = self.mean_loss(batch, "train")
        self.record_train_loss(loss, count)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.val_loss.update(*self.mean_loss(batch, "val"))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Returns ``losses`` (B, T) in nats, 0 where the target is padding: for pictures."""
        losses, count = self.token_losses(batch, "test"), (batch[1] != self.pad_id).sum()
        self.test_loss.update(losses.sum() / count.clamp(min=1), count)
        return {"losses": losses}

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Returns ``loss`` (B,), the mean over each row's real tokens in nats, and ``perplexity`` (B,), its exp."""
        count = (batch[1] != self.pad_id).sum(1).clamp(min=1)
        loss = self.token_losses(batch, "predict").sum(1) / count
        return {"loss": loss, "perplexity": loss.exp()}

    def on_validation_epoch_start(self) -> None:
        self.carried.pop("val", None)

    def on_test_epoch_start(self) -> None:
        self.carried.pop("test", None)

    def on_predict_epoch_start(self) -> None:
        self.carried.pop("predict", None)

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        self.log("val/perplexity", self.val_loss.compute().exp(), prog_bar=True)
        self.log_bits("val", self.val_loss.compute())
        self.log_answers("val", self.val_answers)

    def on_test_epoch_end(self) -> None:
        loss = self.test_loss.compute()
        self.log("test/loss", self.test_loss)
        self.log("test/perplexity", loss.exp())
        self.log_bits("test", loss)
        self.log_answers("test", self.test_answers)

    def log_bits(self, split: str, loss: Tensor) -> None:
        """Logs the bits per character of a mean loss in nats, where the tokens are all of the text."""
        length: float = self.data_attribute("characters_per_token", {}).get(split, 0.0)
        unknown: float = self.data_attribute("unknown_bits", {}).get(split, 0.0)
        if length:
            self.log(f"{split}/bits_per_character", (loss / math.log(2) + unknown) / length)

    def log_answers(self, stage: str, answers: Answers) -> None:
        """Logs the fractions of right answers, if the datamodule has answers."""
        if self.data_attribute("answers", False):
            self.log(f"{stage}/acc", answers.right)
            self.log(f"{stage}/exact", answers.rows)

    # -- generation ---------------------------------------------------------------------------------------------------

    def step_function(self, net: nn.Module) -> Step:
        """``step(tokens (B,), state) -> (logits (B, V), state)``; state is (the tokens so far (B, L), the network's
        state). A network without ``decode`` reads the last ``context`` tokens again for each new token.
        """
        decode, context = getattr(net, "decode", None), getattr(net, "context", 0)

        def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
            seen, inner = state
            if decode is not None:
                logits, inner = decode(tokens[:, None], inner)
                return logits[:, -1], (seen, inner)
            seen = torch.cat([seen, tokens[:, None]], dim=1)[:, -context:]
            return net(seen)[:, -1], (seen, None)

        return step

    def generate_tokens(
        self,
        prompt: Tensor,
        max_tokens: int,
        sampling: Sampling = GREEDY,
        stop: Sequence[int] = (),
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        banned_tokens: Sequence[int] = (),
        net: nn.Module | None = None,
    ) -> Iterator[Tensor]:
        """Yields the tokens (B,) that follow prompts (B, L), L at least 1: see ``stream``.

        Args:
            prompt, max_tokens, sampling, stop, generator: See ``stream``.
            banned_tokens: Tokens that cannot be chosen: padding, unused entries of the vocabulary.
            net: Used in place of ``self.net``, for example its faster version for decoding.
        """
        net = net if net is not None else self.net
        plain, banned = self.step_function(net), torch.tensor(list(banned_tokens), device=prompt.device).long()

        def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
            scores, state = plain(tokens, state)
            return scores.index_fill(1, banned, OUT), state

        before, inner = prompt[:, :-1], None
        if before.shape[1] and hasattr(net, "decode"):
            with torch.no_grad():
                inner = net.decode(before, None)[1]  # type: ignore[operator]
        return stream(step, prompt[:, -1], (before, inner), max_tokens, sampling, stop, prompt, generator)

    def generate(
        self,
        data: Any,
        prompts: Sequence[str],
        *,
        max_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        stop: Sequence[str] = (),
        samples: int = 1,
        seed: int = 0,
        pool_tokens: int = 0,
    ) -> Iterator[Output]:
        """Texts that continue the prompts (``common/generation.py``).

        Args:
            data: Has the ``tokenizer``.
            prompts: Texts to continue.
            max_tokens: Most tokens of a text.
            temperature: 0 is greedy.
            top_k: Only the k best tokens; 0 means all.
            top_p: Only the best tokens that reach this probability.
            min_p: Only tokens at least this fraction as probable as the best one.
            repetition_penalty: Above 1: makes tokens that are in the text already less probable.
            stop: Texts that end the generation.
            samples: Texts for each prompt.
            seed: Of the random numbers.
            pool_tokens: Of a GPT: memory for the keys and values of so many tokens, in which texts of any lengths are
                continued in one step; 0 continues prompts of equal length together.
        """
        if max_tokens < 1:
            raise UserError(f"--max_tokens is {max_tokens}: give at least 1")
        options = sampling(
            temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, repetition_penalty=repetition_penalty
        )
        net: Any = self.net.for_decoding() if hasattr(self.net, "for_decoding") else self.net  # type: ignore[operator]

        def next_tokens(rows: Tensor, generators: list[torch.Generator], banned: list[int]) -> Iterator[Tensor]:
            return self.generate_tokens(rows, max_tokens, options, (), generators, banned, net)

        follow = next_tokens if self.draft is None else with_draft(net, self.draft, max_tokens, options)
        context = getattr(self.net, "context", 0)
        pool = Together(self.paged(pool_tokens), max_tokens, options) if pool_tokens else None
        if pool and self.draft:
            raise UserError("--pool_tokens and --draft: give one of them")
        yield from continue_texts(follow, data.tokenizer, prompts, samples, stop, seed, context, self.device, pool)

    def paged(self, tokens: int) -> Any:
        """Continues texts of any lengths, with memory for so many tokens (``lit_models/attention/paged_gpt.py``)."""
        if not hasattr(self.net, "paged"):
            raise UserError(f"--pool_tokens: {type(self.net).__name__} keeps no keys and values; only a GPT does")
        if tokens < 1:
            raise UserError(f"--pool_tokens is {tokens}: give at least 1")
        return self.net.paged(tokens)  # type: ignore[operator]

    # -- the carried state in the checkpoint --------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        epoch, state = self.carried.get("train", (-1, None))
        world = self.trainer.world_size
        ranks = map_state(lambda t: gather_equal(self, t).reshape(world, *t.shape).cpu(), state)
        checkpoint["carried_state"] = {"epoch": epoch, "state": ranks}  # tensors (world, B, ...)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        saved = checkpoint.get("carried_state")
        if not saved or rows_of(saved["state"]) == 0:
            return
        rank, world = rank_and_world(self)
        if rows_of(saved["state"]) == world:  # with another number of ranks the streams of text differ
            self.carried["train"] = (saved["epoch"], map_state(lambda t: t[rank], saved["state"]))
