"""The base of texts for language models: a tokenizer, one split, random windows or streams.

A subclass supplies ``texts``. Batches are ``(tokens, targets)``, both (B, T) int64; targets of -1 are padding.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError, did_you_mean, note
from datamodules.base import TensorDataModule, TensorLoader, global_seed
from datamodules.cache import kept
from datamodules.data_digest import Split
from datamodules.text.long_text import Text, blocks_of, lines_of_text
from datamodules.text.ngram import ngram_loss
from datamodules.text.tokenizer_files import load_tokenizer, read_tokenizer
from datamodules.text.tokenizers import SPECIALS, TOKENIZERS, Tokenizer
from datamodules.text.windows import EvaluationStreams, StreamLoader, WindowLoader, evaluation_windows, stream_count

PAD = -1  # padding of targets; not a token id
LONG_TEXT = 20_000_000  # characters whose vocabulary takes more than a few seconds
KEPT_TEXT = 1_000_000  # characters from which on what took more than five seconds is kept for the next start
MAX_COUNTED = 3_000_000  # tokens of which the baseline counts n-grams
#: Tokenizers without unknown tokens, whose tokens are all of a text: an ``<unk>`` is the text's own, as in WikiText.
EVERY_BYTE = ("bpe", "byte")
# Bits that are charged for the character behind an <unk>: log2 of the number of Unicode's characters. A model that
# foresees <unk> has not foreseen which character it is.
UNKNOWN_BITS = math.log2(0x110000 - 0x800)


class LanguageModelData(TensorDataModule):
    """Text as tokens for a language model.

    Args:
        vocab_size: Entries of the vocabulary, which is made of the training part alone. A tokenizer's file decides it.
        seq_len: T, tokens in a window.
        tokenizer: ``char``, ``word``, ``space`` (cut already), ``bpe``, ``byte``; or a file that has one, which is
            what published weights need: a ``tokenizer.json`` of Hugging Face's, or the ``processor.json`` of a run.
        lower: Put the text in lower case.
        min_count: Tokens with fewer occurrences are unknown.
        partition: ``random`` windows, or ``sequential`` streams for models that carry their state. Evaluation then has
            ``eval_streams`` streams, whatever ``eval_batch_size`` is: the result may not depend on it.
        eval_streams: Streams that an evaluation is divided into in sequential partitioning; 0 means by the length of
            the text, one for 1,024 tokens, at most 16.
        stride: Tokens from one random window to the next; 0 means ``seq_len``, 1 means all windows, as in the book.
        train_tokens: Number of training tokens that are used; 0 means all.
        **loader: See ``TensorDataModule``. In sequential partitioning the batch size is the number of streams.
    """

    #: Special tokens of the vocabulary.
    specials: tuple[str, ...] = SPECIALS
    links = ("vocab_size", "seq_len")
    items = "characters"
    input_means = "the ids of a text by the tokenizer in processor.json"

    def __init__(
        self,
        vocab_size: int = 128,
        seq_len: int = 64,
        tokenizer: Literal["char", "word", "space", "bpe", "byte"] | str = "char",
        lower: bool = False,
        min_count: int = 1,
        partition: Literal["random", "sequential"] = "random",
        stride: int = 0,
        train_tokens: int = 0,
        eval_streams: int = 0,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        if seq_len < 1:
            raise UserError(f"data.seq_len is {seq_len}: give at least 1")
        self.vocab_size, self.seq_len = vocab_size, seq_len
        self.tokenizer_file = "" if tokenizer in TOKENIZERS else tokenizer
        self.kind, self.lower, self.min_count = tokenizer, lower, min_count
        self.partition, self.stride, self.train_tokens = partition, stride or seq_len, train_tokens
        self.eval_streams = eval_streams
        self.tokenizer: Tokenizer | None = None
        self.corpus: dict[str, Tensor] = {}  # each split as one row of tokens, int32
        #: Characters per token of a split, on average: makes perplexities of different tokenizers comparable.
        self.characters_per_token: dict[str, float] = {}
        #: Bits that are added to a token's on average for the characters behind ``<unk>``, by split.
        self.unknown_bits: dict[str, float] = {}
        self.lengths: dict[str, int] = {}  # characters of each split

    @staticmethod
    def decided_by_files(tokenizer: str = "char", vocab_size: int = 0) -> dict[str, int]:
        """The size of the vocabulary where a file brings it."""
        if not tokenizer or tokenizer in TOKENIZERS:
            return {}
        if not Path(tokenizer).exists():
            raise UserError(
                f"data.tokenizer is {tokenizer!r}: give {', '.join(TOKENIZERS)}, or a file that exists"
                + did_you_mean(tokenizer, TOKENIZERS)
            )
        return {"vocab_size": len(read_tokenizer(tokenizer))}

    # -- for the subclass ---------------------------------------------------------------------------------------------

    def texts(self) -> Mapping[str, Text]:
        """The whole text of each split: train, val and test."""
        raise NotImplementedError

    def texts_for(self, stage: str) -> Mapping[str, Text]:
        """The texts that a stage needs: all of ``texts``, or other ones for ``test`` and ``predict``."""
        return self.texts()

    # -- tokens -------------------------------------------------------------------------------------------------------

    def processor(self) -> dict[str, Any]:
        assert self.tokenizer is not None
        return {**super().processor(), "tokenizer": self.tokenizer.saved(), "seq_len": self.seq_len}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.tokenizer = load_tokenizer(processor["tokenizer"])

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        texts = dict(self.texts_for(stage))
        if self.tokenizer is None:
            self.tokenizer = self._make_tokenizer(texts)
        if len(self.tokenizer) != self.vocab_size:
            raise UserError(
                f"the vocabulary has {len(self.tokenizer)} entries, but data.vocab_size is {self.vocab_size}"
            )
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name in list(texts):
            text = texts.pop(name)  # of a long text, the parts that are done need not stay in memory
            ids = self._encode(name, text)
            if name == "train" and self.train_tokens:
                ids = ids[: self.train_tokens]
            self._check_length(name, ids)
            self._count_characters(name, text, ids)
            self.corpus[name] = ids
            if name == "train":
                splits[name] = (ids,)
            else:
                splits[name] = evaluation_windows(ids, self.seq_len, self._streams(name), PAD)
        if "test" in splits and self.partition == "sequential":  # from the beginning to the end, not in streams
            self.corpus["predict"] = self.corpus["test"]
            splits["predict"] = evaluation_windows(self.corpus["test"], self.seq_len, self._streams("predict"), PAD)
        elif "test" in splits:
            splits["predict"] = splits["test"]
        if stage == "predict":
            self._name_predictions(splits["predict"][1])
        return splits

    def _make_tokenizer(self, texts: Mapping[str, Text]) -> Tokenizer:
        if self.tokenizer_file:
            return read_tokenizer(self.tokenizer_file, self.vocab_size, self.lower)
        if "train" not in texts:
            raise UserError("predicting needs a trained run: its processor.json has the vocabulary")
        kind, train = TOKENIZERS[self.kind], texts["train"]

        def made() -> Tokenizer:
            return kind.train(lines_of_text(train), self.vocab_size, self.specials, self.lower, self.min_count)

        if len(train) <= KEPT_TEXT:
            return made()
        if len(train) > LONG_TEXT:
            note(f"the vocabulary of {len(train):,} characters takes a while, unless it was kept")
        how = f"{self.kind} {self.vocab_size} {self.specials} {self.lower} {self.min_count}"
        found = self._kept("the vocabulary", train, how, lambda: {"tokenizer": json.dumps(made().saved())})
        return load_tokenizer(json.loads(found["tokenizer"]))

    def _encode(self, name: str, text: Text) -> Tensor:
        """The tokens (N,) int32 of a split's text."""
        tokenizer = self.tokenizer
        assert tokenizer is not None

        def made() -> Tensor:
            return torch.from_numpy(tokenizer.encode_long(blocks_of(text), len(text)))

        if len(text) <= KEPT_TEXT:
            return made()
        how, what = json.dumps(tokenizer.saved()), f"the {name} tokens"
        ids: Tensor = self._kept(what, text, how, lambda: {"ids": made()})["ids"]
        return ids

    def _kept(self, what: str, text: Text, how: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What ``make`` returns, made of a long text, from the cache where it is there."""
        digest = hashlib.sha256()
        for block in blocks_of(text):
            for start in range(0, len(block), KEPT_TEXT):  # not all of it at once, which would be a copy
                digest.update(block[start : start + KEPT_TEXT].encode("utf-8", "surrogatepass"))
        return kept(f"{what} of {self.source_name()}", digest.hexdigest(), how, make)

    def _count_characters(self, name: str, text: Text, ids: Tensor) -> None:
        """Characters per token, and what the unknown ones cost."""
        assert self.tokenizer is not None
        unknown = 0.0
        if self.tokenizer.unk_id >= 0 and self.tokenizer.kind not in EVERY_BYTE:  # in parts: a mask of all is large
            unknown = sum(int((part == self.tokenizer.unk_id).sum()) for part in ids.split(1 << 20)) / len(ids)
        if unknown >= 0.0005:
            self.facts.append(f"{unknown:.1%} of the {name} tokens are not in the vocabulary of {self.vocab_size}")
        whole = name != "train" or not self.train_tokens
        self.lengths[name] = len(text)
        if whole and self._keeps_all(text) and (not unknown or self.tokenizer.kind == "char"):
            characters = sum(len(self.tokenizer.prepare(block)) for block in blocks_of(text))
            self.characters_per_token[name] = characters / len(ids)
            self.unknown_bits[name] = unknown * UNKNOWN_BITS

    def _streams(self, name: str) -> int:
        """How many streams an evaluation has: rows that follow one another from batch to batch."""
        world = self._rank_and_world()[1]
        if self.partition != "sequential":
            return 1
        return world if name == "predict" else self.eval_streams or stream_count(len(self.corpus[name]), world)

    def _name_predictions(self, targets: Tensor) -> None:
        """Each row of the predictions is a window: its text stands beside its number."""
        assert self.tokenizer is not None
        rows = [[i for i in row if i != PAD] for row in targets.tolist()]
        self.predict_names = [str(n) for n in range(1, len(rows) + 1)]
        self.predict_cells = {"text": [self.tokenizer.decode(row) for row in rows]}

    def counts(self) -> dict[str, int]:
        return {name: self.lengths[name] for name in self.splits if name in self.lengths}

    def content(self) -> Mapping[str, Split]:
        """The tokens: how evaluation cuts them may depend on the number of processes."""
        return {name: (ids,) for name, ids in self.corpus.items()}

    def _keeps_all(self, text: Text) -> bool:
        """Whether the tokens are all of the text; words lose the spaces between them."""
        assert self.tokenizer is not None
        if self.tokenizer.kind != "file":
            return self.tokenizer.kind in ("char", *EVERY_BYTE)
        part = self.tokenizer.prepare(next(blocks_of(text), "")[:1000])
        return self.tokenizer.decode(self.tokenizer.encode(part)) == part

    def _check_length(self, name: str, ids: Tensor) -> None:
        least, world = 2, self._rank_and_world()[1]
        if name == "train":  # a window for each process, or a step of all streams, wherever they begin
            step = self.seq_len * self.batch_size if self.partition == "sequential" else self.stride
            least = step * world + self.seq_len
        if len(ids) < least:
            raise UserError(
                f"the {name} part of {self.source_name()} has {len(ids)} tokens, but needs {least} for data.seq_len "
                f"{self.seq_len}" + (f" in {self.batch_size} streams" if self.partition == "sequential" else "")
            )

    def source_name(self) -> str:
        """The name of the text in messages."""
        return type(self).__name__

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Splits a window (B, T + 1) into tokens and targets; an evaluation batch has both already."""
        if len(batch) == 1:
            window = batch[0].long()
            return window[:, :-1], window[:, 1:]
        return tuple(t.long() for t in batch)

    # -- loaders ------------------------------------------------------------------------------------------------------

    def train_dataloader(self) -> TensorLoader:
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        corpus = self.splits["train"][0]
        loader = {"seed": global_seed(), "rank": rank, "world": world, "pin_memory": cuda}
        if self.partition == "sequential":
            return self.for_training(StreamLoader(corpus, self.seq_len, self.batch_size, **loader))
        return self.for_training(WindowLoader(corpus, self.seq_len, self.stride, self.batch_size, **loader))

    def _loader(self, split: str, shuffle: bool = False) -> TensorLoader:
        if self.partition != "sequential":
            return super()._loader(split, shuffle)
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return EvaluationStreams(self.splits[split], self._streams(split), rank=rank, world=world, pin_memory=cuda)

    # -- baselines ---------------------------------------------------------------------------------------------------

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Perplexities on the test part of chance and of an n-gram model of the training part."""
        train, test = self.corpus["train"].numpy()[-MAX_COUNTED:], self.corpus["test"].numpy()
        order = 5 if self.kind == "char" else 3
        some = "" if len(train) == len(self.corpus["train"]) else f" of {MAX_COUNTED:,} tokens"
        losses = {n: ngram_loss(train, test, self.vocab_size, n) for n in (1, order)}
        length = self.characters_per_token.get("test")

        def metrics(loss: float) -> dict[str, float]:
            more = self.unknown_bits.get("test", 0.0)
            bits = {"test/bits_per_character": (loss / math.log(2) + more) / length} if length else {}
            return {"test/loss": loss, "test/perplexity": math.exp(loss), **bits}

        return {
            "chance": {"what": "the frequencies of the tokens", "metrics": metrics(losses[1])},
            "baseline": {"what": f"{order}-gram model{some} (Witten-Bell)", "metrics": metrics(losses[order])},
        }
