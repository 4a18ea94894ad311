"""Encoding a corpus in byte pairs: our tokenizer, as the datamodules call it, against the bare library.

The text is Python's documentation, which every installation has, the vocabulary that of the recipe attention/gpt.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import tokenizers
import torch

from datamodules.text.python_docs import PythonDocs
from datamodules.text.tokenizers import BPETokenizer
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import rates_in_turns

PART = Part(
    "Encoding a corpus",
    """\
Python's documentation in 1,000 byte pairs, as one text: our tokenizer and the library `tokenizers` by itself.""",
    "characters",
    (Goal("byte pairs", "tokenizers", 0.95, None, "the library does the work"),),
)
WORKLOAD, VOCABULARY = "byte pairs", 1000
Row = dict[str, Any]


def measure(threads: int, repeats: int, say: Callable[[str], None]) -> list[Row]:
    """Characters a second of each side in each turn. The library runs on one thread for one text.

    Raises:
        RuntimeError: The sides do not produce the same ids.
    """
    torch.set_num_threads(threads)
    corpus = PythonDocs(tokenizer="bpe", vocab_size=VOCABULARY).texts()["train"]
    ours = BPETokenizer.train(corpus.splitlines(keepends=True), VOCABULARY)
    alone = tokenizers.Tokenizer.from_str(ours.saved()["model"])
    sides: dict[str, Callable[[], list[int]]] = {
        "ours": lambda: ours.encode(corpus),
        "tokenizers": lambda: alone.encode(corpus, add_special_tokens=False).ids,
    }
    if ours.encode(corpus) != sides["tokenizers"]():  # warms up, too
        raise RuntimeError(f"{WORKLOAD}: the sides write different ids")

    def rate(side: Callable[[], list[int]]) -> float:
        start = time.perf_counter()
        side()
        return len(corpus) / (time.perf_counter() - start)

    timed = {name: partial(rate, side) for name, side in sides.items()}
    return rates_in_turns(WORKLOAD, threads, timed, repeats, len(corpus), say, "characters")
