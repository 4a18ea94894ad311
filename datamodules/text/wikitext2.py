"""WikiText-2 (Merity et al. 2016): Wikipedia's good articles, split into words, rare ones as ``<unk>``."""

from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from common.messages import UserError
from datamodules.downloads import data_root, fetch
from datamodules.text.files import read_text, split_text
from datamodules.text.language_model import LanguageModelData
from datamodules.text.long_text import Text, blocks_of
from datamodules.text.tokenizers import SpaceTokenizer
from datamodules.text.world_tokenizer import fetch_vocabulary

URL = "https://raw.githubusercontent.com/pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/word_language_model/data/wikitext-2/"
SHA256 = {
    "valid": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
    "test": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
}


class WikiText2(LanguageModelData):
    """WikiText-2 for language models; the test part is always the published one.

    Args:
        part: ``valid`` trains on the first nine tenths of the published validation part (213,886 words) and validates
            on the rest: a small set of real articles. ``train`` is the published split and needs wiki.train.tokens in
            the folder.
        tokenizer: With ``space`` the words are the published ones; ``world`` is the vocabulary of RWKV's World models.
        **text: See ``LanguageModelData``.
    """

    specials = ("<unk>",)

    def __init__(
        self,
        vocab_size: int = 10_000,
        seq_len: int = 35,
        tokenizer: Literal["char", "word", "space", "bpe", "byte", "world"] | str = "space",
        part: Literal["valid", "train"] = "valid",
        **text: Any,
    ) -> None:
        super().__init__(vocab_size, seq_len, self._file(tokenizer), **text)
        self.part = part
        #: Words and bytes of a token on average, by split, where the tokens are all of the text.
        self.units_per_token: dict[str, dict[str, float]] = {}

    @staticmethod
    def _file(tokenizer: str) -> str:
        """The tokenizer, or the file of the World models' vocabulary, which is downloaded once."""
        return str(fetch_vocabulary()) if tokenizer == "world" else tokenizer

    @staticmethod
    def decided_by_files(tokenizer: str = "char", vocab_size: int = 0) -> dict[str, int]:
        return LanguageModelData.decided_by_files(WikiText2._file(tokenizer), vocab_size)

    def _keeps_all(self, text: Text) -> bool:
        assert self.tokenizer is not None
        return self.tokenizer.kind == "world" or super()._keeps_all(text)

    def _count_characters(self, name: str, text: Text, ids: Tensor) -> None:
        super()._count_characters(name, text, ids)
        if name in self.characters_per_token and not self.unknown_bits[name]:
            # the published words: a line end is one
            words = sum(len(SpaceTokenizer.PATTERN.findall(block)) for block in blocks_of(text))
            counts = {"word": words, "byte": sum(len(block.encode()) for block in blocks_of(text))}
            self.units_per_token[name] = {unit: count / len(ids) for unit, count in counts.items()}

    def texts(self) -> dict[str, Text]:
        valid, test = (self._read(name) for name in ("valid", "test"))
        if self.part == "valid":
            parts = split_text(valid, 0.1, 0.0)
            return {"train": parts["train"], "val": parts["val"] + parts["test"], "test": test}
        path = Path(data_root()) / "wikitext-2" / "wiki.train.tokens"
        if not path.is_file():
            raise UserError(f"no {path}: put the training part there, or give --data.part valid")
        return {"train": read_text(path), "val": valid, "test": test}

    @staticmethod
    def _read(name: str) -> str:
        return read_text(fetch(f"{URL}{name}.txt", SHA256[name], f"wikitext-2/wiki.{name}.tokens"))
