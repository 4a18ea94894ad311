"""What all texts for BERT share: the tokenizer, the special tokens, batches of texts of like lengths.

The vocabulary is a file's (``data.tokenizer``: a ``tokenizer.json``, a folder, an installed package, a run), or
WordPiece of the training texts. Training batches are of texts of like lengths, and a batch is as wide as its longest.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from common.packages import model_folder
from datamodules.base import TensorDataModule, TensorLoader, global_seed
from datamodules.text.tokenizer_files import FileTokenizer, load_tokenizer, read_tokenizer

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MARK = "\u2581"  # of the beginning of a word, while a vocabulary is made
# Characters of a word, for WordPiece takes a longer one as unknown: such runs, as in Thai, Lao and Khmer, are cut.
LONGEST_WORD = 100
IGNORED = -100  # the target of a token that does not count


class LengthLoader(TensorLoader):
    """Batches of like lengths in a random order: the first tensor's rows (N, T) are padded with 0.

    Rows are shuffled, sorted by length within groups of ``group`` batches, and the batches shuffled again.

    Args:
        tensors, batch_size: See ``TensorLoader``.
        group: Batches that are sorted together.
        **loader: See ``TensorLoader``.
    """

    def __init__(self, tensors: Sequence[Tensor], batch_size: int, group: int = 40, **loader: Any) -> None:
        super().__init__(tensors, batch_size, True, **loader)
        self.group = group

    def _order(self) -> Tensor:
        """Of all processes: a batch of each is every ``world``-th row of a batch of all."""
        generator, size, n = self.generator(), self.batch_size * self.world, len(self.tensors[0])
        order = torch.randperm(n, generator=generator)[: n - n % self.world]
        lengths = (self.tensors[0] != 0).sum(1)
        parts = [part[lengths[part].argsort(stable=True)] for part in order.split(size * self.group)]
        batches = [batch for part in parts for batch in part.split(size)]
        full, rest = [b for b in batches if len(b) == size], [b for b in batches if len(b) < size]
        places = torch.randperm(len(full), generator=generator).tolist()
        return torch.cat([*(full[i] for i in places), *rest])[self.rank :: self.world]


class BertRows(TensorDataModule):
    """Rows of tokens (B, T) int64, the first tensor of each batch. A subclass supplies ``read``, ``training_texts`` and
    ``rows``.

    Args:
        vocab_size, sep_id, max_length: Linked to the model's arguments of the same name; a file decides the first two.
            ``max_length`` is how many positions the model has.
        seq_len: Longest row in tokens, the special ones included.
        tokenizer: A file, a folder, an installed package, a run; empty: WordPiece of the training texts, ``vocab_size``
            large.
        buckets: Training batches are of texts of like lengths, which saves padding; False: any texts.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: Rows that have no room for a pair of texts, or that are longer than the model's positions.
    """

    links: tuple = ("vocab_size", "sep_id", "max_length")

    def __init__(
        self,
        vocab_size: int = 1000,
        sep_id: int = 3,
        max_length: int = 512,
        seq_len: int = 64,
        tokenizer: str = "",
        buckets: bool = True,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        if seq_len < 5:
            raise UserError(f"data.seq_len is {seq_len}: a pair of texts needs at least 5 tokens")
        if seq_len > max_length:
            raise UserError(
                f"data.seq_len is {seq_len}, but the model has {max_length} positions: lower data.seq_len (longer "
                "texts are cut), or raise data.max_length for a model that starts from no published weights"
            )
        self.vocab_size, self.sep_id, self.max_length, self.seq_len = vocab_size, sep_id, max_length, seq_len
        self.tokenizer_file, self.buckets = tokenizer, buckets
        self.tokenizer: FileTokenizer | None = None

    @staticmethod
    def decided_by_files(tokenizer: str = "") -> dict[str, int]:
        """The size of the vocabulary and the id of ``[SEP]``, where a file brings them."""
        if not tokenizer:
            return {}
        found = file_tokenizer(tokenizer)
        return {"vocab_size": len(found), "sep_id": special_id(found, "[SEP]")}

    # -- for the subclass ---------------------------------------------------------------------------------------------

    def read(self, stage: str) -> dict[str, Any]:
        """What the splits that ``stage`` needs have, by name."""
        raise NotImplementedError

    def training_texts(self, found: Any) -> Iterable[str]:
        """The texts of a split, for a vocabulary of their own."""
        raise NotImplementedError

    def rows(self, name: str, found: Any) -> tuple[Tensor, ...]:
        """A split as tensors; the tokens, padded with 0, are the first."""
        raise NotImplementedError

    # -- tokens -------------------------------------------------------------------------------------------------------

    def processor(self) -> dict[str, Any]:
        assert self.tokenizer is not None
        return {**super().processor(), "tokenizer": self.tokenizer.saved(), "seq_len": self.seq_len}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.tokenizer = load_tokenizer(processor["tokenizer"])  # type: ignore[assignment]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        found = self.read(stage)
        if self.tokenizer is None and self.tokenizer_file:
            self.tokenizer = file_tokenizer(self.tokenizer_file)
        if self.tokenizer is None:
            if "train" not in found:
                raise UserError("predicting needs a trained run: its processor.json has the tokenizer")
            self.tokenizer = train_wordpiece(self.training_texts(found["train"]), self.vocab_size)
        splits = {name: self.rows(name, part) for name, part in found.items()}
        for name, (x, *_) in splits.items():
            self.say_unknown(name, x)
        if "test" in splits:
            splits.setdefault("predict", splits["test"][:1])
        return splits

    def say_unknown(self, split: str, x: Tensor) -> None:
        """Adds the fraction of unknown tokens to the facts, where it is a hundredth or more."""
        assert self.tokenizer is not None
        unknown, count = int((x == self.tokenizer.unk_id).sum()), int((x != 0).sum())
        if unknown > 0.01 * count:
            self.facts.append(f"{unknown / count:.0%} of the {split} tokens are not in the vocabulary")

    def ends(self) -> tuple[int, int]:
        """The ids of ``[CLS]`` and ``[SEP]``."""
        assert self.tokenizer is not None
        return special_id(self.tokenizer, "[CLS]"), special_id(self.tokenizer, "[SEP]")

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """As wide as the longest text."""
        x, *rest = batch
        width = int((x != 0).sum(1).max())
        return (x[:, :width].long(), *rest)

    def train_dataloader(self) -> TensorLoader:
        if not self.buckets:
            return super().train_dataloader()
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        loader: dict[str, Any] = {"seed": global_seed(), "rank": rank, "world": world, "pin_memory": cuda}
        return self.for_training(LengthLoader(self.splits["train"], self.batch_size, **loader))


def file_tokenizer(source: str) -> FileTokenizer:
    """The tokenizer of a file, a folder or an installed package.

    Raises:
        UserError: There is none, or it is of another kind.
    """
    found = read_tokenizer(model_folder(source) or source)
    if not isinstance(found, FileTokenizer):
        raise UserError(f"data.tokenizer {source} is not a tokenizer of a BERT: give a tokenizer.json")
    return found


def special_id(tokenizer: Any, name: str) -> int:
    """The id of ``[CLS]`` or ``[SEP]``.

    Raises:
        UserError: The vocabulary does not have it, or 0 is not its padding.
    """
    place: int = tokenizer.id_of(name)
    if place < 0 or tokenizer.id_of("[PAD]") != 0:
        raise UserError(f"data.tokenizer has no {name}, or [PAD] is not 0: give a tokenizer of a BERT")
    return place


def train_wordpiece(texts: Iterable[str], size: int) -> FileTokenizer:
    """WordPiece, cased, with BERT's five special tokens first; the same in every process.

    The library's trainer of WordPiece numbers the pieces inside of words in the order of a hash table, which differs
    from process to process. So BPE, which has no such pieces, is trained on words that begin with a mark, and a merged
    piece without it becomes one inside of words.

    Raises:
        UserError: The vocabulary is too small for all characters.
    """
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

    normalizer = normalizers.Sequence([normalizers.BertNormalizer(lowercase=False), normalizers.NFC()])
    parts = pre_tokenizers.Split(tokenizers.Regex(rf"\S{{{LONGEST_WORD}}}"), "isolated")
    cutter = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), parts])
    marked = (
        " ".join(MARK + word for word, _ in cutter.pre_tokenize_str(normalizer.normalize_str(text))) for text in texts
    )
    merged = tokenizers.Tokenizer(models.BPE())
    merged.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    merged.train_from_iterator(marked, trainers.BpeTrainer(vocab_size=2 * size, show_progress=False))
    learned = [piece for piece, _ in sorted(merged.get_vocab().items(), key=lambda item: item[1]) if piece != MARK]
    letters = [piece for piece in learned if len(piece) == 1]
    pieces = [*SPECIALS, *letters, *(f"##{letter}" for letter in letters)]
    if len(pieces) > size:
        raise UserError(
            f"data.vocab_size is {size}: the texts have {len(letters)} different characters; give {len(pieces)} or more"
        )
    pieces += (piece[1:] if piece[0] == MARK else f"##{piece}" for piece in learned if len(piece) > 1)
    pieces = list(dict.fromkeys(pieces))[:size]
    model = tokenizers.Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    model.normalizer, model.pre_tokenizer, model.decoder = normalizer, cutter, decoders.WordPiece()
    model.add_special_tokens(list(SPECIALS))
    return FileTokenizer(model.to_str(), size)
