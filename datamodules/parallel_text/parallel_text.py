"""The base of pairs of texts: two vocabularies, padded tensors, and decoding of ids to texts.

A subclass supplies ``pairs``. Batches are ``(source, source_length, target_in, target_out)``, int64, padded with 0 to
the longest of the batch; ``<bos>`` is 1, ``<eos>`` 2, ``<unk>`` 3. A source ends in ``<eos>``, as in D2L 10.5.
Where the training pairs are cut into tokens anew each epoch (``bpe_dropout``, ``objective: denoise``), what is drawn is
a function of the seed and the epoch: each process has the same, and a resumed run has what it would have had.
"""

import random
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Literal

from torch import Tensor

from common.byte_tokens import readable_tokens
from common.messages import UserError, note
from datamodules.base import TensorDataModule, TensorLoader, global_seed
from datamodules.parallel_text.additions import is_there, read_synthetic, to_restore, tokenizers_of
from datamodules.parallel_text.bpe_dropout import BPEDropout
from datamodules.parallel_text.infilling import head_length, infill
from datamodules.parallel_text.loaders import TrainingLoader, TrimmedLoader, padded
from datamodules.parallel_text.nearest import copy_and_nearest
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.parallel_text.tags import check_tag, groups_of, tags_of, without_tags
from datamodules.text.tokenizer_files import load_tokenizer
from datamodules.text.tokenizers import TOKENIZERS, Tokenizer

PAD, BOS, EOS = 0, 1, 2  # of our own vocabularies


class ParallelText(TensorDataModule):
    """Pairs of texts for sequence-to-sequence models.

    Args:
        source_vocab_size, target_vocab_size: Entries of the vocabularies, which are built from the training pairs only.
            The subclass sets the defaults.
        max_length: Largest number of tokens of a source or target, ``<eos>`` included; longer ones are truncated, as in
            D2L 10.5.
        tokenizer: ``char``, ``word``, ``space`` (split at spaces), ``bpe`` or ``byte``.
        lower: Put the texts in lower case.
        min_count: Tokens with fewer occurrences are unknown.
        shared: One vocabulary for both sides; the sizes must be equal.
        batch_by: ``rows``; or ``tokens``: batches of like lengths with as many tokens, padding included, as
            ``batch_size`` rows of mean length have.
        temperature: Where each source begins with the tag of a language, ``<2sw>``: a language with n training pairs
            gets a part proportional to n^(1/T) of each epoch. 1 takes all pairs as they are.
        bpe_dropout: The probability that a merge of byte pairs is left out in training (``bpe_dropout.py``).
        objective: ``translate``; or ``denoise``: the targets are restored from themselves with masked spans
            (``infilling.py``), before a run of the same vocabulary that translates (``vocabulary``, ``model.weights``).
        vocabulary: The folder of a run whose vocabularies are used, or of a published model with its
            ``tokenizer.json``; empty makes some from the training pairs.
        synthetic: A file of ``source<TAB>target`` lines that are added to the training pairs, as ``dive backtranslate``
            writes it; without those whose target stands in another split.
        **loader: See ``TensorDataModule``.
    """

    links: tuple[str, ...] = ("source_vocab_size", "target_vocab_size", "max_length")
    #: The special tokens; ``bos_id`` begins each target.
    pad_id, bos_id, eos_id = PAD, BOS, EOS

    def __init__(
        self,
        source_vocab_size: int = 1000,
        target_vocab_size: int = 1000,
        max_length: int = 32,
        tokenizer: Literal["char", "word", "space", "bpe", "byte"] = "word",
        lower: bool = False,
        min_count: int = 1,
        shared: bool = False,
        batch_by: Literal["rows", "tokens"] = "rows",
        temperature: float = 1.0,
        bpe_dropout: float = 0.0,
        objective: Literal["translate", "denoise"] = "translate",
        vocabulary: str = "",
        synthetic: str = "",
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        if temperature < 1:
            raise UserError(f"data.temperature is {temperature}: give 1 (as the pairs are) or more, such as 5")
        if shared and source_vocab_size != target_vocab_size:
            raise UserError(
                f"data.source_vocab_size {source_vocab_size} and data.target_vocab_size {target_vocab_size} must be "
                "equal where data.shared is true"
            )
        if max_length < 2:
            raise UserError(f"data.max_length is {max_length}: give at least 2, for a token and <eos>")
        self.source_vocab_size, self.target_vocab_size = source_vocab_size, target_vocab_size
        self.max_length, self.kind, self.lower = max_length, tokenizer, lower
        self.min_count, self.shared, self.batch_by, self.temperature = min_count, shared, batch_by, temperature
        self.bpe_dropout, self.objective = bpe_dropout, objective
        self.vocabulary, self.synthetic = vocabulary, synthetic
        self.tags: list[str] = []  # of the languages that sources begin with, where all do
        self.train_rows: Pairs = []
        self.source_tokenizer: Tokenizer | None = None
        self.target_tokenizer: Tokenizer | None = None
        #: The true texts of each split, in the order of its rows: BLEU is measured against them. They are as an output
        #: without errors would be: normalized by ``normalize`` and by the tokenizer.
        self.references: dict[str, list[str]] = {}
        self.sources: dict[str, list[str]] = {}
        self.subsets: dict[str, dict[str, list[bool]]] = {}  # of the pairs of a split, by name: whether each is in it

    @staticmethod
    def decided_by_files(vocabulary: str = "") -> dict[str, int]:
        """The sizes of a run's vocabularies, where they are to be used; none where a later command finds no folder."""
        if not is_there(vocabulary):
            return {}
        source, target = tokenizers_of(vocabulary)
        return {"source_vocab_size": len(source), "target_vocab_size": len(target)}

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
        for text in texts:
            check_tag(self.normalize(text), self.tags)
        rows = [self._ids(self.source_tokenizer, self.normalize(text)) for text in texts]
        source, length = padded(rows, max(map(len, rows)), self.pad_id)
        return source.long(), length.long()

    def decode_target(self, ids: Tensor) -> list[str]:
        """The texts of ids (B, L), each up to its first ``<eos>``, detokenized."""
        assert self.target_tokenizer is not None
        rows, end = ids.tolist(), self.eos_id
        return [self.target_tokenizer.decode(row[: row.index(end)] if end in row else row).strip() for row in rows]

    def source_tokens(self, ids: Iterable[int]) -> list[str]:
        """Single source tokens as texts, for the axes of pictures."""
        return readable_tokens(self.source_tokenizer, ids)

    def target_tokens(self, ids: Iterable[int]) -> list[str]:
        """Single target tokens as texts."""
        return readable_tokens(self.target_tokenizer, ids)

    def _ids(self, tokenizer: Tokenizer, text: str) -> list[int]:
        return [*tokenizer.encode(text), self.eos_id][: self.max_length]

    def _whole(self, tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
        """The ids of texts of any length, each ended by ``<eos>``."""
        return [[*tokenizer.encode(self.normalize(text)), self.eos_id] for text in texts]

    input_means = (
        "the ids of sources by source_tokenizer of processor.json, each ended by <eos> and filled up with <pad>; their "
        "lengths; the ids of the targets so far by target_tokenizer, beginning with <bos>"
    )

    def processor(self) -> dict[str, Any]:
        assert self.source_tokenizer is not None and self.target_tokenizer is not None
        saved = {"source_tokenizer": self.source_tokenizer.saved(), "target_tokenizer": self.target_tokenizer.saved()}
        return {**super().processor(), **saved, **({"tags": self.tags} if self.tags else {})}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.tags = processor.get("tags", [])
        self.source_tokenizer = load_tokenizer(processor["source_tokenizer"])
        self.target_tokenizer = load_tokenizer(processor["target_tokenizer"])

    # -- tensors ------------------------------------------------------------------------------------------------------

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        pairs = self.prepared({
            name: [(self.normalize(source), self.normalize(target)) for source, target in rows]
            for name, rows in self.pairs().items()
        })  # fmt: skip
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

    def prepared(self, pairs: dict[str, Pairs]) -> dict[str, Pairs]:
        """The pairs of each split with what is added to training, as ``objective`` takes them."""
        if self.synthetic and "train" in pairs:
            held = {target for name in ("val", "test") for _, target in pairs.get(name, [])}
            read = [(self.normalize(one), self.normalize(other)) for one, other in read_synthetic(self.synthetic)]
            added = [pair for pair in read if pair[1] not in held]
            if len(added) < len(read):
                note(f"{len(read) - len(added)} of {len(read)} pairs of {self.synthetic} are left out: their targets "
                     "stand in the validation or test part")  # fmt: skip
            pairs = pairs | {"train": pairs["train"] + added}
        if "train" in pairs and not self.tags:
            self.tags = tags_of(source for source, _ in pairs["train"])
        if self.objective != "denoise":
            return pairs
        self.subsets = {}  # they are of pairs; a row here is a text
        return {name: to_restore(rows) for name, rows in pairs.items()}

    def _keep_texts(self, name: str, rows: Pairs) -> None:
        """Keeps the sources of a split, and its references in the form of an output."""
        assert self.target_tokenizer is not None
        if name == "train":
            self.train_rows = rows
        self.sources[name] = [source for source, _ in rows]
        self.references[name] = [self.target_tokenizer.canonical(target).strip() for _, target in rows]

    def _make_vocabularies(self, train: Pairs) -> None:
        if self.vocabulary:
            sizes = (self.source_vocab_size, self.target_vocab_size)
            self.source_tokenizer, self.target_tokenizer = tokenizers_of(self.vocabulary, sizes)
            return
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

    def tensors(self, pairs: Pairs, epoch: int | None = None) -> tuple[Tensor, ...]:
        """(source, source_length, target_in, target_out) of pairs, int32.

        Args:
            pairs: Texts.
            epoch: Of training, which decides what is drawn; None draws no tokens, and masks as always.
        """
        assert self.source_tokenizer is not None and self.target_tokenizer is not None
        draw = random.Random("evaluation" if epoch is None else f"{global_seed()} {epoch}")
        cut = [self._cut(tokenizer, draw, epoch) for tokenizer in (self.source_tokenizer, self.target_tokenizer)]
        sources = [cut[0](source) for source, _ in pairs]
        if self.objective == "denoise":
            tags = [source.removesuffix(without_tags(source)).strip() for source, _ in pairs]
            heads = [head_length(self.source_tokenizer, row, tag) for row, tag in zip(sources, tags, strict=True)]
            sources = [[*row[:n], *infill(row[n:], self.mask_id, draw)] for row, n in zip(sources, heads, strict=True)]
        sources = [[*row, self.eos_id][: self.max_length] for row in sources]
        targets = [[*cut[1](target), self.eos_id][: self.max_length] for _, target in pairs]
        source, length = padded(sources, self.max_length, self.pad_id)
        target_in = padded([[self.bos_id, *row[:-1]] for row in targets], self.max_length, self.pad_id)[0]
        return source, length, target_in, padded(targets, self.max_length, self.pad_id)[0]

    @property
    def mask_id(self) -> int:
        """The mask of denoising: ``<mask>``, or ``<unk>``, which byte pairs and bytes never need."""
        assert self.source_tokenizer is not None
        mask = self.source_tokenizer.id_of("<mask>")
        return mask if mask >= 0 else self.source_tokenizer.unk_id

    def _cut(self, tokenizer: Tokenizer, draw: random.Random, epoch: int | None) -> Any:
        """The function that cuts a text into ids: with dropout in training."""
        if epoch is None or not self.bpe_dropout:
            return tokenizer.encode
        return partial(BPEDropout(tokenizer, self.bpe_dropout).encode, draw=draw)

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(t.long() for t in batch)

    def _loader(self, split: str, shuffle: bool = False) -> TensorLoader:
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        where: dict[str, Any] = {"seed": global_seed(), "rank": rank, "world": world, "pin_memory": cuda}
        if not shuffle:
            return TrimmedLoader(self.splits[split], self.eval_batch_size, pad_id=self.pad_id, **where)
        groups = groups_of([source for source, _ in self.train_rows]) if self.temperature != 1 else None
        renewed = self.bpe_dropout > 0 or self.objective == "denoise"
        renew = partial(self.tensors, self.train_rows) if renewed else None
        by_tokens = self.batch_by == "tokens"
        where["pad_id"] = self.pad_id
        return TrainingLoader(self.splits[split], self.batch_size, by_tokens, groups, self.temperature, renew, **where)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """BLEU and exact matches of a copied source, and of the target of the nearest training source."""
        return copy_and_nearest(self.sources, self.references)
