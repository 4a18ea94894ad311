"""BPE, WordPiece and Unigram by hand against the library ``tokenizers`` and transformers' ``BertTokenizer``."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from datamodules.text.python_docs import topics
from lit_models.embeddings.bpe import BPE, as_bytes
from lit_models.embeddings.unigram import Unigram
from lit_models.embeddings.wordpiece import WordPiece, basic_words
from scripts.evidence.verify import Check, Tensors

SIZE = 600
SAMPLES = (
    "The quick brown fox -- isn't it? 3.14 $5 ^ naïve café",
    "Ọjọ́ dára púpọ̀; ọkọ̀ àti ọkọ, ẹ káàárọ̀!",  # Yoruba, with tone marks
    "ሰላም ለዓለም። እንደምን ነህ፤ ኢትዮጵያ",  # Amharic
    "Habari ya asubuhi 👋🏾🌍 emoji 👩‍💻!",
    "中文 mixed\tspaces\u00a0here\u200b İstanbul ﬁ ½",
    "",
)


@cache
def words() -> Counter[str]:
    return Counter(re.findall(r"\S+", " ".join(topics()[:1500])))


def table(rows: list[list[int]], width: int = 200) -> Tensors:
    """Rows of ids, filled up with -1: all sides have one shape."""
    found = torch.full((len(rows), width), -1.0, dtype=torch.float64)
    for row, ids in zip(found, rows, strict=True):
        row[: len(ids)] = torch.tensor(ids[:width], dtype=torch.float64)
    return {"ids": found}


def units(kind: str) -> dict[str, int]:
    return {(as_bytes(w) if kind == "bytes" else w): n for w, n in words().items()}


def our_bpe(kind: str, longest: bool = False) -> Tensors:
    model = BPE.train(units(kind), SIZE, ["<unk>"])
    cut = model.longest_first if longest else model.encode_word
    rows = [[model.ids[t] for t in cut(word)] for word in list(units(kind))[:400]]
    merges = [[model.ids[a], model.ids[b]] for a, b in model.merges]
    return table(rows) | {"merges": torch.tensor(merges, dtype=torch.float64)}


def their_bpe(kind: str) -> Tensors:
    import json

    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    model = tokenizers.Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=SIZE, special_tokens=["<unk>"], show_progress=False)
    model.train_from_iterator((w for w, n in units(kind).items() for _ in range(n)), trainer)
    content = json.loads(model.to_str())["model"]
    ids = content["vocab"]
    merges = [[ids[a], ids[b]] for a, b in content["merges"]]
    rows = [model.encode(word).ids for word in list(units(kind))[:400]]
    return table(rows) | {"merges": torch.tensor(merges, dtype=torch.float64)}


@cache
def pieces() -> list[str]:
    """A vocabulary of WordPiece with pieces of the samples."""
    counts = Counter(w for text in [*SAMPLES, *words()] for lower in (True, False) for w in basic_words(text, lower))
    model = WordPiece.train(dict(counts.most_common(500)), 700, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    extra = {c for text in SAMPLES[1:3] for lower in (True, False) for w in basic_words(text, lower) for c in w}
    return [*model.vocabulary, *sorted({f"##{c}" for c in extra} | extra - set(model.vocabulary) - {""})]


def unique(tokens: list[str]) -> list[str]:
    return list(dict.fromkeys(tokens))


def our_wordpiece(lower: bool, marks: bool = False) -> Tensors:
    """``marks`` keeps the combining marks of the uncased model: what a reader of Yoruba would want, and not BERT's."""
    model = WordPiece(unique(pieces()))
    if marks:
        return table(
            [[model.ids[t] for w in basic_words(x.lower(), False) for t in model.encode_word(w)] for x in SAMPLES]
        )
    return table([model.encode(text, lower) for text in SAMPLES])


def bert_tokenizer(lower: bool) -> Tensors:
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(unique(pieces())) + "\n", encoding="utf-8")
        reader: Any = transformers.BertTokenizer(str(path), do_lower_case=lower)
        return table([reader.encode(text, add_special_tokens=False) for text in SAMPLES])


def our_unigram(greedy: bool = False) -> Tensors:
    model = our_scores()
    rows = []
    for word in list(words())[:400] + ["日本", "a日b本本"]:
        cut = model.encode_word(word) if not greedy else BPE([p for p, _ in model.scores], []).longest_first(word)
        rows.append([model.ids.get(piece, 0) for piece in cut])
    return table(rows)


@cache
def our_scores() -> Unigram:
    return Unigram.train(dict(words().most_common(400)), 250, seed_size=1500)


def their_unigram() -> Tensors:
    import tokenizers
    from tokenizers import models

    model = tokenizers.Tokenizer(models.Unigram(our_scores().scores, 0, False))
    return table([model.encode(word).ids for word in list(words())[:400] + ["日本", "a日b本本"]])


def check(
    name: str,
    claim: str,
    package: str,
    ours: Callable[[], Tensors],
    reference: Callable[[], Tensors],
    control: Callable[[], Tensors],
    mistake: str,
) -> Check:
    without = "gradients: tokens have none"
    return Check(f"embeddings/{name}", claim, package, ours, reference, control, mistake, without=without)


CHECKS = [
    *(
        check(
            f"bpe_{kind}",
            f"BPE of {kind}, trained on Python's documentation: merges and ids against the library's",
            "tokenizers",
            partial(our_bpe, kind),
            partial(their_bpe, kind),
            partial(our_bpe, kind, longest=True),
            mistake="the longest token first, as in D2L 15.6.2",
        )
        for kind in ("characters", "bytes")
    ),
    *(
        check(
            f"wordpiece_{'uncased' if lower else 'cased'}",
            f"WordPiece ({'uncased' if lower else 'cased'}) on English, Yoruba, Amharic, emoji against BertTokenizer",
            "transformers",
            partial(our_wordpiece, lower),
            partial(bert_tokenizer, lower),
            partial(our_wordpiece, not lower, lower),
            mistake="tone marks are kept" if lower else "the uncased model's, without tone marks",
        )
        for lower in (True, False)
    ),
    check(
        "unigram",
        "Viterbi of a unigram model with given scores: ids against the library's, unknown characters too",
        "tokenizers",
        our_unigram,
        their_unigram,
        partial(our_unigram, greedy=True),
        mistake="the longest piece first",
    ),
]
