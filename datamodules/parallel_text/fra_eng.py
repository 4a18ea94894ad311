"""English to French: short everyday sentences of the Tatoeba project. D2L 10.5.

Departs from the book: its vocabularies are built from training and validation rows, ours from training rows only. Its
512 + 128 rows are the first and shortest of the file (one more by mistake), without a test split; ours are the same
rows, and the next ones are the test split.
"""

import re
import zipfile
from typing import Any, Literal

from common.messages import UserError
from datamodules.downloads import fetch
from datamodules.parallel_text.pair_splits import Pairs, random_splits
from datamodules.parallel_text.parallel_text import ParallelText

URL = "https://d2l-data.s3-accelerate.amazonaws.com/fra-eng.zip"
SHA256 = "fa96382b2c8b609e1662654c1e6e6baeb8d30b3bf63dfb4a5a261cc36347df13"


class FraEng(ParallelText):
    """Sentences in lower case with spaces between words and punctuation, as the book prepares them.

    Args:
        subset: ``book``: the first ``train_size`` rows of the file for training, the next for validation and test.
            ``random``: rows from all of the file; an English sentence is in one split only.
        train_size, val_size, test_size: Pairs of each split.
        source_vocab_size, target_vocab_size, max_length, tokenizer, min_count: See ``ParallelText``.
        **parallel: See ``ParallelText``.
    """

    def __init__(
        self,
        subset: Literal["book", "random"] = "book",
        train_size: int = 512,
        val_size: int = 128,
        test_size: int = 128,
        source_vocab_size: int = 200,
        target_vocab_size: int = 220,
        max_length: int = 9,
        tokenizer: Literal["char", "word", "space", "bpe", "byte"] = "space",
        min_count: int = 2,
        **parallel: Any,
    ) -> None:
        super().__init__(source_vocab_size, target_vocab_size, max_length, tokenizer, min_count=min_count, **parallel)
        self.subset, self.sizes = subset, (train_size, val_size, test_size)

    def normalize(self, text: str) -> str:
        """Lower case, plain spaces, and a space before each of ``, . ! ?``."""
        text = text.replace("\u202f", " ").replace("\xa0", " ").lower()
        return " ".join(re.sub(r"([,.!?])", r" \1", text).split())

    def pairs(self) -> dict[str, Pairs]:
        with zipfile.ZipFile(fetch(URL, SHA256, "fra-eng/fra-eng.zip")) as archive:
            lines = archive.read("fra-eng/fra.txt").decode("utf-8").splitlines()
        rows = [tuple(line.split("\t")[:2]) for line in lines if "\t" in line]
        train, val, test = self.sizes
        if sum(self.sizes) > len(rows):
            raise UserError(f"the file has {len(rows)} pairs, fewer than the {sum(self.sizes)} asked for")
        pairs: Pairs = [(source, target) for source, target in rows]
        if self.subset == "random":
            return random_splits(pairs, val, test, train)
        ends = (train, train + val, train + val + test)
        return {"train": pairs[: ends[0]], "val": pairs[ends[0] : ends[1]], "test": pairs[ends[1] : ends[2]]}
