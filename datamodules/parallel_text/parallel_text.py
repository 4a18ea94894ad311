"""The base of pairs of texts: two vocabularies, padded tensors, and decoding of ids to texts.

A subclass supplies ``pairs``. Batches are ``(source, source_length, target_in, target_out)``, int64, padded with 0 to
the longest of the batch; ``<bos>`` is 1, ``<eos>`` 2, ``<unk>`` 3. A source ends in ``<eos>``, as in D2L 10.5.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule, TensorLoader, global_seed
from datamodules.parallel_text.nearest import copy_and_nearest
from datamodules.text.tokenizer_files import load_tokenizer
from datamodules.text.tokenizers import TOKENIZERS, Tokenizer

PAD, BOS, EOS = 0, 1, 2
Pairs = list[tuple[str, str]]


class TrimmedLoader(TensorLoader):
    """Trims the padding of a batch to its longest source and target."""

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        for source, length, *targets in super().__iter__():
            longest = int((targets[-1] != PAD).sum(1).max()) if targets else 0
            yield (source[:, : int(length.max())].contiguous(), length, *(t[:, :longest].contiguous() for t in targets))


class ParallelText(TensorDataModule):
    """Pairs of texts for sequence-to-sequence models.

    Args:
        source_vocab_size, target_vocab_size: Entries of the vocabularies, which are built from the training pairs only.
            The subclass sets the defaults.
        max_length: Largest number of tokens of a source or target, ``<eos>`` included; longer ones are truncated, as in
            D2L 10.5.
        tokenizer: ``char``, ``word``, ``space`` (split at spaces) or ``bpe``.
        lower: Put the texts in lower case.
        min_count: Tokens with fewer occurrences are unknown.
        shared: One vocabulary for both sides; the sizes must be equal.
        **loader: See ``TensorDataModule``.
    """

    links = ("source_vocab_size", "target_vocab_size", "max_length")

    def __init__(
        self,
        source_vocab_size: int = 1000,
        target_vocab_size: int = 1000,
        max_length: int = 32,
        tokenizer: Literal["char", "word", "space", "bpe"] = "word",
        lower: bool = False,
        min_count: int = 1,
        shared: bool = False,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        if shared and source_vocab_size != target_vocab_size:
            raise UserError(
                f"data.source_vocab_size {source_vocab_size} and data.target_vocab_size {target_vocab_size} must be "
                "equal where data.shared is true"
            )
        if max_length < 2:
            raise UserError(f"data.max_length is {max_length}: give at least 2, for a token and <eos>")
        self.source_vocab_size, self.target_vocab_size = source_vocab_size, target_vocab_size
        self.max_length, self.kind, self.lower = max_length, tokenizer, lower
        self.min_count, self.shared = min_count, shared
        self.source_tokenizer: Tokenizer | None = None
        self.target_tokenizer: Tokenizer | None = None
        #: The true texts of each split, in the order of its rows: BLEU is measured against them. They are as an output
        #: without errors would be: normalized by ``normalize`` and by the tokenizer.
        self.references: dict[str, list[str]] = {}
        self.sources: dict[str, list[str]] = {}

    # -- for the subclass ---------------------------------------------------------------------------------------------

    def pairs(self) -> dict[str, Pairs]:
        """(source, target) texts of each split: train, val and test."""
        raise NotImplementedError

    def normalize(self, text: str) -> str:
        """Prepares a text before it is tokenized; references too."""
        return text

    @property
    def reference_form(self) -> str:
        """How references are normalized, for the signature of BLEU."""
        return "NFC, lower case" if self.lower else "NFC"

    # -- texts and ids ------------------------------------------------------------------------------------------------

    def encode_source(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Sources (N, S) padded to the longest, and their lengths (N,), int64."""
        assert self.source_tokenizer is not None
        rows = [self._ids(self.source_tokenizer, self.normalize(text)) for text in texts]
        source, length = padded(rows, max(map(len, rows)))
        return source.long(), length.long()

    def decode_target(self, ids: Tensor) -> list[str]:
        """The texts of ids (B, L), each up to its first ``<eos>``, detokenized."""
        assert self.target_tokenizer is not None
        rows = ids.tolist()
        return [self.target_tokenizer.decode(row[: row.index(EOS)] if EOS in row else row).strip() for row in rows]

    def source_tokens(self, ids: Iterable[int]) -> list[str]:
        """Single source tokens as texts, for the axes of pictures."""
        assert self.source_tokenizer is not None
        return [self.source_tokenizer.tokens[i] for i in ids]

    def target_tokens(self, ids: Iterable[int]) -> list[str]:
        """Single target tokens as texts."""
        assert self.target_tokenizer is not None
        return [self.target_tokenizer.tokens[i] for i in ids]

    def _ids(self, tokenizer: Tokenizer, text: str) -> list[int]:
        return [*tokenizer.encode(text), EOS][: self.max_length]

    def _whole(self, tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
        """The ids of texts of any length, each ended by ``<eos>``."""
        return [[*tokenizer.encode(self.normalize(text)), EOS] for text in texts]

    input_means = (
        "the ids of sources by source_tokenizer of processor.json, each ended by <eos> and filled up with <pad>; their "
        "lengths; the ids of the targets so far by target_tokenizer, beginning with <bos>"
    )

    def processor(self) -> dict[str, Any]:
        assert self.source_tokenizer is not None and self.target_tokenizer is not None
        saved = {"source_tokenizer": self.source_tokenizer.saved(), "target_tokenizer": self.target_tokenizer.saved()}
        return {**super().processor(), **saved}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.source_tokenizer = load_tokenizer(processor["source_tokenizer"])
        self.target_tokenizer = load_tokenizer(processor["target_tokenizer"])

    # -- tensors ------------------------------------------------------------------------------------------------------

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        pairs = {
            name: [(self.normalize(source), self.normalize(target)) for source, target in rows]
            for name, rows in self.pairs().items()
        }
        if self.source_tokenizer is None or self.target_tokenizer is None:
            self._make_vocabularies(pairs["train"])
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in pairs.items():
            if not rows:
                raise UserError(f"the {name} split of {type(self).__name__} is empty: give it more pairs")
            self._keep_texts(name, rows)
            splits[name] = self.tensors(rows)
        return splits | self._to_predict(splits)

    def _to_predict(self, splits: dict[str, tuple[Tensor, ...]]) -> dict[str, tuple[Tensor, ...]]:
        """The sources of the test as the split to predict."""
        if "test" not in splits:
            return {}
        source, length, *_ = splits["test"]
        self.predict_cells = {"source": self.sources["test"]}
        return {"predict": (source, length)}

    def _keep_texts(self, name: str, rows: Pairs) -> None:
        """Keeps the sources of a split, and its references in the form of an output."""
        assert self.target_tokenizer is not None
        self.sources[name] = [source for source, _ in rows]
        self.references[name] = [self.target_tokenizer.canonical(target).strip() for _, target in rows]

    def _make_vocabularies(self, train: Pairs) -> None:
        kind = TOKENIZERS[self.kind]
        sides: list[list[str]] = [list(side) for side in zip(*train, strict=True)]
        if self.shared:
            sides = [sides[0] + sides[1]]
        sizes = (self.source_vocab_size, self.target_vocab_size)
        made = [
            kind.train(side, size, lower=self.lower, min_count=self.min_count)
            for side, size in zip(sides, sizes, strict=False)
        ]
        self.source_tokenizer, self.target_tokenizer = made[0], made[-1]

    def tensors(self, pairs: Pairs) -> tuple[Tensor, ...]:
        """(source, source_length, target_in, target_out) of pairs, int32."""
        assert self.source_tokenizer is not None and self.target_tokenizer is not None
        sources = [self._ids(self.source_tokenizer, source) for source, _ in pairs]
        targets = [self._ids(self.target_tokenizer, target) for _, target in pairs]
        source, length = padded(sources, self.max_length)
        target_in = padded([[BOS, *row[:-1]] for row in targets], self.max_length)[0]
        return source, length, target_in, padded(targets, self.max_length)[0]

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(t.long() for t in batch)

    def _loader(self, split: str, shuffle: bool = False) -> TensorLoader:
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        size = self.batch_size if shuffle else self.eval_batch_size
        return TrimmedLoader(self.splits[split], size, shuffle, global_seed(), rank, world, pin_memory=cuda)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """BLEU and exact matches of a copied source, and of the target of the nearest training source."""
        return copy_and_nearest(self.sources, self.references)


def padded(rows: Sequence[Sequence[int]], width: int) -> tuple[Tensor, Tensor]:
    """Rows of ids as (N, width) int32, padded, and their lengths (N,) int32."""
    length = torch.tensor([len(row) for row in rows], dtype=torch.int32)
    table = torch.full((len(rows), width), PAD, dtype=torch.int32)
    table[torch.arange(width) < length[:, None]] = torch.tensor([i for row in rows for i in row], dtype=torch.int32)
    return table, length


def random_splits(pairs: Pairs, val_size: int, test_size: int, train_size: int = 0) -> dict[str, Pairs]:
    """A fixed random split (seed 0): every source is in one split only, with all its translations.

    Raises:
        UserError: Fewer sources than requested.
    """
    groups: dict[str, Pairs] = {}
    for pair in pairs:
        groups.setdefault(pair[0], []).append(pair)
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(0)).tolist()
    keys = list(groups)
    if len(keys) < val_size + test_size + 1:
        raise UserError(
            f"{len(keys)} different sources are too few: {val_size} are for validation, {test_size} for the test"
        )
    test, val, train = (
        [keys[i] for i in part]
        for part in (order[:test_size], order[test_size : test_size + val_size], order[test_size + val_size :])
    )
    rows = [pair for key in train for pair in groups[key]]
    return {
        "train": rows[:train_size] if train_size else rows,
        "val": [groups[key][0] for key in val],
        "test": [groups[key][0] for key in test],
    }
