"""Your own pairs of texts: one file of ``source<TAB>target`` lines, or two files whose lines correspond.

    dive fit rnn/bahdanau --data ParallelFile --data.path pairs.tsv
    dive fit rnn/bahdanau --data ParallelFile --data.path text.en --data.target_path text.sw
    dive predict rnn/bahdanau --data.path new.en             a translation of each line, beside it

Sizes are found in the files; a line says how much is unknown or left out. The vocabularies and the splits are described
in ``datamodules/parallel_text/parallel_text.py``.
"""

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from common.messages import UserError
from datamodules.fractions import check_fractions
from datamodules.parallel_text.additions import is_there, special_ids, tokenizers_of
from datamodules.parallel_text.loaders import padded
from datamodules.parallel_text.nearest import copy_and_nearest
from datamodules.parallel_text.pair_files import (
    left_out,
    lines_of_file,
    other_forms,
    read_pairs,
    split,
    vocabulary_of,
)
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.parallel_text.parallel_text import BOS, EOS, PAD, ParallelText
from datamodules.run_file import KnowsItsFile
from datamodules.text.tokenizers import SPECIALS, TOKENIZERS, Tokenizer

LONGEST_FOUND = 200  # tokens of a source or target; longer pairs are left out


class ParallelFile(KnowsItsFile, ParallelText):
    """Pairs of texts from files, split at random (seed 0); a source is in one split only.

    Args:
        path: ``source<TAB>target`` lines (further columns are ignored), or the sources, one per line. At test time
            files that are not the run's are tested whole; ``predict`` translates every line, with a target or without.
        target_path: The targets, one per line; empty where ``path`` has both.
        test_path, test_target_path: Other pairs for the test; then the others are for training and validation only.
        val_fraction, test_fraction: Fractions of the different sources held out, with the first translation of each.
        source_vocab_size, target_vocab_size: Entries of the vocabularies; 0 means all tokens of the training pairs, at
            most 10,000.
        max_length: Largest number of tokens of a source or target, ``<eos>`` included. Longer pairs are left out, since
            from a target that is cut a model does not learn to end; 0 means that of the longest pair, at most 200.
        tokenizer, lower, min_count, shared: See ``ParallelText``.
        vocabulary: See ``ParallelText``.
        pad_id, bos_id, eos_id: The special tokens; those of a published ``vocabulary`` are found in its folder.
        **loader: See ``TensorDataModule``.
    """

    items = "pairs"
    links = ("source_vocab_size", "target_vocab_size", "max_length", "pad_id", "bos_id", "eos_id")

    def __init__(
        self,
        path: str = "",
        target_path: str = "",
        test_path: str = "",
        test_target_path: str = "",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        source_vocab_size: int = 0,
        target_vocab_size: int = 0,
        max_length: int = 0,
        tokenizer: Literal["char", "word", "space", "bpe", "byte"] = "word",
        lower: bool = False,
        min_count: int = 1,
        shared: bool = False,
        vocabulary: str = "",
        pad_id: int = PAD,
        bos_id: int = BOS,
        eos_id: int = EOS,
        **loader: Any,
    ) -> None:
        check_fractions(val_fraction, test_fraction)
        how: dict[str, Any] = {"tokenizer": tokenizer, "lower": lower, "min_count": min_count, "shared": shared}
        where: dict[str, Any] = {
            "path": path,
            "target_path": target_path,
            "val_fraction": val_fraction,
            "test_fraction": 0.0 if test_path else test_fraction,
        }
        lengths: dict[str, Any] = {"source_vocab_size": source_vocab_size, "target_vocab_size": target_vocab_size}
        lengths |= {"max_length": max_length}
        sizes: dict[str, Any] = self.infer(**where, **how, **lengths, test_path=test_path, vocabulary=vocabulary)
        super().__init__(**sizes, **how, vocabulary=vocabulary, **loader)
        self.pad_id, self.bos_id, self.eos_id = pad_id, bos_id, eos_id
        self.path, self.target_path = path, target_path
        self.test_path, self.test_target_path = test_path, test_target_path
        self.fractions = (val_fraction, where["test_fraction"])

    @staticmethod
    def infer(
        path: str = "",
        target_path: str = "",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        test_path: str = "",
        tokenizer: Literal["char", "word", "space", "bpe", "byte"] = "word",
        lower: bool = False,
        min_count: int = 1,
        shared: bool = False,
        source_vocab_size: int = 0,
        target_vocab_size: int = 0,
        max_length: int = 0,
        vocabulary: str = "",
    ) -> dict[str, int]:
        """Sizes of the vocabularies, from the training pairs, and the largest length, of all pairs."""
        given = {
            "source_vocab_size": source_vocab_size,
            "target_vocab_size": target_vocab_size,
            "max_length": max_length,
        }
        if all(given.values()):
            return given  # as in a run's config.yaml: the file may have no targets now
        pairs, _ = read_pairs(path, target_path)
        train = split(pairs, val_fraction, 0.0 if test_path else test_fraction)["train"]
        sides = [list(side) for side in zip(*train, strict=True)]
        joint = [sides[0] + sides[1]] if shared else sides
        whole = [list(side) for side in zip(*pairs, strict=True)]
        if vocabulary:
            cutters: list[Tokenizer] = list(tokenizers_of(vocabulary))
            found = {"source_vocab_size": len(cutters[0]), "target_vocab_size": len(cutters[1])}
            return found | {"max_length": max_length or longest_of(cutters, whole)}
        sizes = [vocabulary_of(side, tokenizer, lower, min_count) for side in joint]
        found = {"source_vocab_size": sizes[0], "target_vocab_size": sizes[-1]}
        found = {name: given[name] or found[name] for name in found}
        if not max_length:
            cutters = [
                TOKENIZERS[tokenizer].train(side, size, lower=lower) if tokenizer in ("bpe", "byte") else
                TOKENIZERS[tokenizer](SPECIALS, SPECIALS, lower)
                for side, size in zip(joint, found.values(), strict=False)
            ]  # fmt: skip
            max_length = longest_of(cutters, whole)
        return {**found, "max_length": max_length}

    @staticmethod
    def decided_by_files(vocabulary: str = "") -> dict[str, int]:
        """As in ``ParallelText``, and the special tokens of a published model."""
        ids = special_ids(vocabulary) if is_there(vocabulary) else None
        named = dict(zip(("pad_id", "bos_id", "eos_id"), ids, strict=True)) if ids else {}
        return {**ParallelText.decided_by_files(vocabulary), **named}

    @property
    def own_path(self) -> str:  # type: ignore[override]
        if self.test_path and "test" in self.splits and "train" not in self.splits:
            return self.test_path
        only_sources = set(self.splits) == {"predict"}
        return self.path if only_sources or not self.target_path else f"{self.path} and {self.target_path}"

    def own_files(self) -> dict[str, str]:
        return {"path": self.path, **({"target": self.target_path} if self.target_path else {})}

    def processor(self) -> dict[str, Any]:
        ids = (self.pad_id, self.bos_id, self.eos_id)
        other = {"special_ids": list(ids)} if ids != (PAD, BOS, EOS) else {}
        return {**super().processor(), **other}

    def counts(self) -> dict[str, int]:
        return {name: n for name, n in super().counts().items() if name != "predict" or "test" not in self.splits}

    # -- reading ------------------------------------------------------------------------------------------------------

    def pairs(self) -> dict[str, Pairs]:
        pairs, dropped = read_pairs(self.path, self.target_path)
        self._say_lines(pairs, dropped)
        parts = split(pairs, *self.fractions)
        if unused := len(pairs) - sum(map(len, parts.values())):
            self.facts.append(f"{unused:,} further translations of validation and test sources are not used")
        return parts

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            return self._load_sources()
        if stage == "test" and self.test_path:
            return self._load_whole("test", self.test_path, self.test_target_path)
        if self.is_another(stage):
            return self._load_whole("test" if stage == "test" else "val", self.path, self.target_path)
        parts = self.prepared(self.pairs())
        if self.source_tokenizer is None or self.target_tokenizer is None:
            self._make_vocabularies(parts["train"])
        splits: dict[str, tuple[Tensor, ...]] = {}
        everything, kept = sum(map(len, parts.values())), 0
        for name, rows in parts.items():
            if name == "test" and self.test_path:
                continue
            short = self._short_enough(rows)
            if not short:
                raise UserError(
                    f"all {len(rows)} pairs of the {name} split have more than data.max_length {self.max_length} "
                    "tokens: give a larger one, or 0 to have it found"
                )
            kept += len(short)
            self._keep_texts(name, short)
            splits[name] = self.tensors(short)
        if kept < everything:
            self.facts.append(
                f"{everything - kept:,} of {everything:,} pairs have more than data.max_length {self.max_length} "
                "tokens and are left out"
            )
        self._say_unknown(splits)
        return splits | self._to_predict(splits)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """As ``ParallelText``, from at most 20,000 training pairs."""
        first = {"train": 20_000}
        sources, references = (
            {name: texts[: first.get(name)] for name, texts in side.items()} for side in (self.sources, self.references)
        )
        return copy_and_nearest(sources, references)

    def _short_enough(self, pairs: Pairs) -> Pairs:
        """The pairs whose source and target have at most ``max_length`` tokens."""
        assert self.source_tokenizer is not None and self.target_tokenizer is not None
        most = self.max_length - 1
        return [
            (source, target)
            for source, target in pairs
            if len(self.source_tokenizer.encode(source)) <= most and len(self.target_tokenizer.encode(target)) <= most
        ]

    def _load_whole(self, name: str, path: str, target_path: str) -> dict[str, tuple[Tensor, ...]]:
        """All pairs of other files as one split, however long they are."""
        assert self.source_tokenizer is not None and self.target_tokenizer is not None
        pairs, dropped = read_pairs(path, target_path)
        self._say_lines(pairs, dropped)
        pairs = self.prepared({name: pairs})[name]
        self._keep_texts(name, pairs)
        longest, self.max_length = self.max_length, self._longest(pairs)
        splits = {name: self.tensors(pairs)}
        self.max_length = longest
        self._say_long(int((splits[name][1] > longest).sum()), len(pairs), "pairs")
        self._say_unknown(splits)
        return splits | self._to_predict(splits)

    def _say_lines(self, pairs: Pairs, dropped: Sequence[int]) -> None:
        """What is said of the lines of a file: which have an empty side, how many are in another form of Unicode."""
        self.facts += [fact for fact in (left_out(dropped) if dropped else "", other_forms(pairs)) if fact]

    def _longest(self, pairs: Pairs) -> int:
        assert self.source_tokenizer is not None and self.target_tokenizer is not None
        sides = zip((self.source_tokenizer, self.target_tokenizer), zip(*pairs, strict=True), strict=True)
        return 1 + max(len(tokenizer.encode(text)) for tokenizer, side in sides for text in side)

    def _load_sources(self) -> dict[str, tuple[Tensor, ...]]:
        """Every line of a file as a source to translate; what is behind a tab is not read."""
        if self.source_tokenizer is None:
            raise UserError("predicting needs a trained run: its processor.json has the vocabularies")
        sources = [line.split("\t")[0].strip() for line in lines_of_file(self.path, "data.path")]
        rows = self._whole(self.source_tokenizer, sources)
        source, length = padded(rows, max(map(len, rows)), self.pad_id)
        self.items = "sources"
        self.predict_names = [str(number) for number in range(1, len(sources) + 1)]
        self.predict_cells = {"source": sources}
        empty = sum(row == [self.eos_id] for row in rows)
        if empty:
            self.facts.append(f"{empty:,} empty lines stay empty")
        self._say_long(int((length > self.max_length).sum()), len(sources), "sources")
        self._say_unknown({"predict": (source, length)})
        return {"predict": (source, length)}

    def _say_long(self, count: int, whole: int, items: str) -> None:
        if count:
            self.facts.append(
                f"{count:,} of {whole:,} {items} are longer than the {self.max_length} tokens of training: their "
                "outputs are not reliable"
            )

    def _say_unknown(self, splits: dict[str, tuple[Tensor, ...]]) -> None:
        """Adds the fractions of unknown tokens to the facts, where they are a hundredth or more."""
        for name, tensors in splits.items():
            kinds = (self.source_tokenizer, self.target_tokenizer)
            for side, kind, tokens in zip(("source", "target"), kinds, (tensors[0], *tensors[3:]), strict=False):
                unk_id = kind.unk_id if kind else -1
                unknown = float((tokens == unk_id).sum() / (tokens != self.pad_id).sum().clamp(min=1))
                if unknown >= 0.01:
                    remedy = " (--data.tokenizer bpe leaves none)" if name == "train" else ""
                    self.facts.append(f"{unknown:.0%} of the {name} {side} tokens are not in the vocabulary{remedy}")


def longest_of(cutters: Sequence[Tokenizer], sides: Sequence[Sequence[str]]) -> int:
    """Tokens of the longest text, its end included; at most ``LONGEST_FOUND``."""
    sided = zip([cutters[0], cutters[-1]], sides, strict=True)
    longest = max(len(cutter.encode(text)) for cutter, side in sided for text in side)
    return max(2, min(LONGEST_FOUND, 1 + longest))
