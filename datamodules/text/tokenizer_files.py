"""Tokenizers out of files: what a run kept of its own, or a ``tokenizer.json`` as Hugging Face's models have it."""

import json
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from common.messages import UserError
from datamodules.text.tokenizers import TOKENIZERS, Tokenizer, as_array
from datamodules.text.world_tokenizer import WorldTokenizer, read_vocabulary

AROUND = 64  # characters on either side of a cut that decide whether it changes tokens


class FileTokenizer(Tokenizer):
    """A ``tokenizer.json`` as Hugging Face's models have it, by the library ``tokenizers``: its texts, its ids.

    Nothing is done to a text before it, and no special tokens are put around one.

    Args:
        model: The text of the file.
        size: Entries of the vocabulary; a model may have more than the file names. 0 means as many.
        lower: Texts are put in lower case first.

    Raises:
        ValueError: The library cannot read the model, or it has more entries than ``size``.
    """

    kind = "file"

    def __init__(self, model: str, size: int = 0, lower: bool = False) -> None:
        import tokenizers

        try:
            self.model = tokenizers.Tokenizer.from_str(model)
        except Exception as error:  # the library raises nothing more special
            raise ValueError(str(error)) from None
        self.model.no_padding()  # a file may say that every text has 128 tokens
        self.model.no_truncation()
        by_id = {i: token for token, i in self.model.get_vocab(with_added_tokens=True).items()}
        least = max(by_id, default=-1) + 1
        if size and size < least:
            raise ValueError(f"it has {least} entries: give data.vocab_size {least} or more")
        tokens = [by_id.get(i, f"<unused{i}>") for i in range(size or least)]
        content = json.loads(model)
        specials = [token["content"] for token in content.get("added_tokens") or [] if token.get("special")]
        super().__init__(tokens, specials, lower)
        self.unk_id = self.id_of((content.get("model") or {}).get("unk_token") or "")

    def prepare(self, text: str) -> str:
        return text.lower() if self.lower else text

    def unknown_pieces(self, text: str) -> list[str]:
        text = self.prepare(text)
        found = self.model.encode(text, add_special_tokens=False)
        return [text[a:b] for i, (a, b) in zip(found.ids, found.offsets, strict=True) if i == self.unk_id]

    def encode_prepared(self, text: str) -> list[int]:
        return self.model.encode(text, add_special_tokens=False).ids

    def encode_pieces(self, texts: Iterable[str]) -> np.ndarray:
        """Pieces are put together where a model makes other tokens of them apart: one may put a mark before the
        beginning of each text that it is given.
        """
        found, waiting = array("i"), ""
        for text in texts:
            if waiting and self._part(waiting[-AROUND:], text[:AROUND]):
                found.extend(self.encode_prepared(waiting))
                waiting = ""
            waiting += text
        found.extend(self.encode_prepared(waiting))
        return as_array(found)

    def _part(self, before: str, behind: str) -> bool:
        """Whether two texts have the tokens of both together."""
        return self.encode_prepared(before) + self.encode_prepared(behind) == self.encode_prepared(before + behind)

    def canonical(self, text: str) -> str:
        return self.decode(self.encode(text))

    def decode(self, ids: Iterable[int], keep_unknown: bool = True) -> str:
        return self.model.decode(list(ids), skip_special_tokens=True)

    def saved(self) -> dict[str, Any]:
        return {"kind": self.kind, "model": self.model.to_str(), "size": len(self), "lower": self.lower}


def load_tokenizer(saved: dict[str, Any] | str | Path) -> Tokenizer:
    """A tokenizer out of what ``saved`` returned, or out of the file that ``save`` wrote.

    Raises:
        UserError: The file is missing or no tokenizer.
    """
    if not isinstance(saved, dict):
        saved = read_json(Path(saved))
    kinds = {**TOKENIZERS, "file": FileTokenizer, "world": WorldTokenizer}
    if not isinstance(saved, dict) or saved.get("kind") not in kinds:
        raise UserError("these are no values of a tokenizer: they name no kind out of " + ", ".join(kinds))
    values = dict(saved)
    return kinds[values.pop("kind")](**values)


def read_tokenizer(source: str | Path, size: int = 0, lower: bool = False) -> Tokenizer:
    """The tokenizer of a file that a person gives: a ``tokenizer.json``, a run's ``processor.json``, the folder of
    either, or the ``.txt`` with the vocabulary of RWKV's World models.

    Args:
        source: The file or the folder.
        size: Entries of the vocabulary, for a ``tokenizer.json``; 0 means as many as it names.
        lower: Texts are put in lower case first.

    Raises:
        UserError: There is no such file, or no tokenizer in it.
    """
    path = Path(source)
    if path.is_dir():
        found = (path / name for name in ("tokenizer.json", "processor.json") if (path / name).is_file())
        path = next(found, path / "tokenizer.json")
    if path.suffix == ".txt":
        return read_vocabulary(path)
    content = read_json(path)
    content = content.get("tokenizer", content)  # of a run
    if isinstance(content, dict) and "kind" in content:
        return load_tokenizer(content)
    if not isinstance(content, dict) or "model" not in content:
        raise UserError(
            f"{path} is not a tokenizer: give a tokenizer.json of Hugging Face's, or a run's processor.json"
        )
    try:
        return FileTokenizer(path.read_text(encoding="utf-8"), size, lower)
    except ValueError as error:
        raise UserError(f"{path} cannot be used: {str(error).splitlines()[0][:120]}") from None


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a file.

    Raises:
        UserError: The file is missing, or has none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no tokenizer {path}") from None
    except (ValueError, OSError):
        raise UserError(f"{path} is not a tokenizer file") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a tokenizer file")
    return content
