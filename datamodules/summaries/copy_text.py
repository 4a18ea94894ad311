"""Pairs of texts where the target may have words of the source that are in no vocabulary.

A word that the vocabulary does not have gets a number of its own behind it, from a list that grows while texts are
read. The same number stands in a target where the source has the word; a word that only the target has is ``<unk>``.
A network decides by the place of a number in the source, not by the number, which another run does not know
(``lit_models/summarization/pointer_generator.py``).
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from torch import Tensor

from common.messages import UserError, note
from datamodules.base import TensorLoader, global_seed
from datamodules.parallel_text.loaders import TrimmedLoader, padded
from datamodules.parallel_text.nearest import text_metrics
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.parallel_text.parallel_text import BOS, EOS, ParallelText
from datamodules.summaries.words import join_words, sentences, split_words
from datamodules.text.bert_rows import LengthLoader

UNKNOWN = 3
AS_THEY_ARE = {"batch_by": "rows", "temperature": 1.0, "bpe_dropout": 0.0, "objective": "translate"}


def normalized(text: str, tokenizer: str) -> str:
    """A text in Unicode's composed form; for a vocabulary of words with a space between all words and signs."""
    text = unicodedata.normalize("NFC", text)
    return split_words(text) if tokenizer == "space" else text


class BucketLoader(TrimmedLoader, LengthLoader):
    """Batches of sources of like lengths, trimmed.

    Args:
        tensors, batch_size: See ``TensorLoader``.
        pad_id: The padding of the targets.
        **loader: See ``LengthLoader``.
    """

    def __init__(self, tensors: Sequence[Tensor], batch_size: int, pad_id: int = 0, **loader: Any) -> None:
        LengthLoader.__init__(self, tensors, batch_size, **loader)  # whose arguments are not those of a TrimmedLoader
        self.pad_id = pad_id


class CopyText(ParallelText):
    """Texts and their summaries, over one vocabulary of words, or of byte pairs, of which none is unknown.

    Args:
        source_vocab_size, target_vocab_size: Entries of the vocabulary: equal.
        max_length: Largest number of tokens of a target, ``<eos>`` included; longer ones are cut.
        longest_source: The same of a source: See et al. cut at 400 words.
        tokenizer: ``space`` for words and signs, or ``bpe``.
        copies: Words beyond the vocabulary have numbers of their own; else they are ``<unk>``.
        **parallel: See ``ParallelText``; all training pairs are taken as they are, in batches of ``batch_size`` rows.

    Raises:
        UserError: ``batch_by``, ``temperature``, ``bpe_dropout`` or ``objective`` would change that.
    """

    english = False
    sentences = staticmethod(sentences)

    def __init__(
        self,
        source_vocab_size: int = 1000,
        target_vocab_size: int = 1000,
        max_length: int = 64,
        longest_source: int = 400,
        tokenizer: Literal["space", "bpe"] = "space",
        copies: bool = True,
        **parallel: Any,
    ) -> None:
        super().__init__(source_vocab_size, target_vocab_size, max_length, tokenizer, shared=True, **parallel)
        for name, only in AS_THEY_ARE.items():
            if getattr(self, name) != only:
                raise UserError(f"data.{name} is {getattr(self, name)}: texts and summaries have only {only}")
        if longest_source < 2:
            raise UserError(f"data.longest_source is {longest_source}: give at least 2, for a token and <eos>")
        self.longest_source, self.copies = longest_source, copies
        self.extra: list[str] = []  # words beyond the vocabulary, in the order in which they were met
        self.extra_ids: dict[str, int] = {}
        self.cut = 0  # sources that were cut

    def normalize(self, text: str) -> str:
        return normalized(text, self.kind)

    def train_dataloader(self) -> TensorLoader:
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        loader: dict[str, Any] = {"seed": global_seed(), "rank": rank, "world": world, "pin_memory": cuda}
        return self.for_training(BucketLoader(self.splits["train"], self.batch_size, pad_id=self.pad_id, **loader))

    # -- ids ----------------------------------------------------------------------------------------------------------

    def source_ids(self, text: str) -> list[int]:
        """The ids of a normalized source, ``<eos>`` last; unknown words get a number."""
        assert self.source_tokenizer is not None
        ids = self.source_tokenizer.encode(text)
        if UNKNOWN in ids and self.copies:
            words = self.source_tokenizer.cut(self.source_tokenizer.prepare(text))
            ids = [self._extra_id(word) if i == UNKNOWN else i for i, word in zip(ids, words, strict=True)]
        self.cut += len(ids) >= self.longest_source
        return [*ids[: self.longest_source - 1], EOS]

    def target_ids(self, text: str, source: Sequence[int]) -> list[int]:
        """The ids of a normalized target; an unknown word has its number where the source has it."""
        assert self.target_tokenizer is not None
        ids = self.target_tokenizer.encode(text)
        if UNKNOWN in ids and self.copies:
            words = self.target_tokenizer.cut(self.target_tokenizer.prepare(text))
            numbers = [self.extra_ids.get(word, UNKNOWN) for word in words]
            ids = [(n if n in source else i) if i == UNKNOWN else i for i, n in zip(ids, numbers, strict=True)]
        return [*ids, EOS][: self.max_length]

    def _extra_id(self, word: str) -> int:
        if word not in self.extra_ids:
            assert self.source_tokenizer is not None
            self.extra_ids[word] = len(self.source_tokenizer) + len(self.extra)
            self.extra.append(word)
        return self.extra_ids[word]

    def tensors(self, pairs: Pairs, epoch: int | None = None) -> tuple[Tensor, ...]:
        sources = [self.source_ids(source) for source, _ in pairs]
        targets = [self.target_ids(target, source) for (_, target), source in zip(pairs, sources, strict=True)]
        source, length = padded(sources, max(map(len, sources)))
        target_in = padded([[BOS, *row[:-1]] for row in targets], self.max_length)[0]
        return source, length, target_in, padded(targets, self.max_length)[0]

    def encode_source(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        self.cut = 0
        rows = [self.source_ids(self.normalize(text)) for text in texts]
        if self.cut:
            note(f"{self.cut} of {len(rows)} texts are longer than {self.longest_source} tokens: cut at the end")
        source, length = padded(rows, max(map(len, rows)))
        return source.long(), length.long()

    # -- texts --------------------------------------------------------------------------------------------------------

    def word(self, i: int) -> str:
        """The token of an id, or the word of a number beyond the vocabulary."""
        assert self.target_tokenizer is not None
        known = self.target_tokenizer.tokens
        return known[i] if i < len(known) else self.extra[i - len(known)]

    def decode_target(self, ids: Tensor) -> list[str]:
        if self.kind != "space":
            return super().decode_target(ids)
        rows = [row[: row.index(EOS)] if EOS in row else row for row in ids.tolist()]
        silent = ("<pad>", "<bos>", "<eos>")
        return [join_words(" ".join(w for w in map(self.word, row) if w not in silent)) for row in rows]

    def source_tokens(self, ids: Iterable[int]) -> list[str]:
        return [self.word(i) for i in ids]

    def target_tokens(self, ids: Iterable[int]) -> list[str]:
        return [self.word(i) for i in ids]

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The source and its first sentence in the place of an output."""
        sources, true = self.sources["test"], self.references["test"]
        first = [(sentences(source) or [""])[0] for source in sources]
        return {
            "chance": {"what": "the source, copied", "metrics": text_metrics(sources, true)},
            "baseline": {"what": "the first sentence", "metrics": text_metrics(first, true)},
        }

    def reference(self, text: str) -> str:
        """A true text as an output without errors would be."""
        assert self.target_tokenizer is not None
        text = self.target_tokenizer.canonical(self.normalize(text)).strip()
        return join_words(text) if self.kind == "space" else text

    def _keep_texts(self, name: str, rows: Pairs) -> None:
        self.sources[name] = [join_words(source) if self.kind == "space" else source for source, _ in rows]
        self.references[name] = [self.reference(target) for _, target in rows]
