"""Encoding a corpus in byte pairs: our tokenizer, as the datamodules call it, against the bare library.

The text is Python's documentation, which every installation has, the vocabulary that of the recipe attention/gpt.
"""

import time
from collections.abc import Callable
from typing import Any

import tokenizers
import torch

from datamodules.text.python_docs import PythonDocs
from datamodules.text.tokenizers import BPETokenizer
from scripts.evidence.benches.part import Goal, Part

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
    facts = {"workload": WORKLOAD, "threads": threads, "steps": len(corpus), "samples": len(corpus)}
    table: dict[str, Row] = {name: {**facts, "side": name, "rates": []} for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            table[name]["rates"].append(len(corpus) / (time.perf_counter() - start))
            say(f"{WORKLOAD}, {name}: {table[name]['rates'][-1]:,.0f} characters/s")
    return list(table.values())
