"""Multi30k (Elliott et al. 2016): 29,000 captions of pictures in English, German and French."""

import gzip
from typing import Any, Literal

from datamodules.downloads import fetch
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.parallel_text.parallel_text import ParallelText

URL = "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/"
SHA256 = {
    "train.de": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.fr": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.de": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.fr": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    "test_2016_flickr.de": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.fr": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
}


class Multi30k(ParallelText):
    """Task 1 with its published splits; the test is test_2016_flickr.

    Args:
        source, target: Languages out of en, de, fr.
        source_vocab_size, target_vocab_size, max_length, tokenizer: See ``ParallelText``.
        **parallel: See ``ParallelText``.
    """

    def __init__(
        self,
        source: Literal["en", "de", "fr"] = "en",
        target: Literal["en", "de", "fr"] = "de",
        source_vocab_size: int = 8000,
        target_vocab_size: int = 8000,
        max_length: int = 48,
        tokenizer: Literal["char", "word", "space", "bpe", "byte"] = "bpe",
        **parallel: Any,
    ) -> None:
        super().__init__(source_vocab_size, target_vocab_size, max_length, tokenizer, **parallel)
        self.source, self.target = source, target

    def pairs(self) -> dict[str, Pairs]:
        names = {"train": "train", "val": "val", "test": "test_2016_flickr"}
        return {
            split: list(zip(self._lines(name, self.source), self._lines(name, self.target), strict=True))
            for split, name in names.items()
        }

    @staticmethod
    def _lines(name: str, language: str) -> list[str]:
        file = f"{name}.{language}"
        path = fetch(f"{URL}{file}.gz", SHA256[file], f"multi30k/task1/raw/{file}.gz")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [line.strip() for line in lines]
