"""Python's own documentation, which ships with every Python: the language reference, about 450,000 characters.

The text of ``help("topics")`` (``pydoc_data.topics``); ``docstrings`` adds those of the standard library. It differs a
little from one Python version to the next. License: PSF.
"""

import ast
import sysconfig
from pathlib import Path
from typing import Any

from datamodules.text.files import split_text
from datamodules.text.language_model import LanguageModelData


class PythonDocs(LanguageModelData):
    """Python's documentation for language models: 80 % train, 10 % validation, 10 % test, by topic.

    Args:
        docstrings: Add the standard library's docstrings.
        **text: See ``LanguageModelData``.
    """

    def __init__(self, docstrings: bool = False, **text: Any) -> None:
        super().__init__(**text)
        self.docstrings = docstrings

    def texts(self) -> dict[str, str]:
        paragraphs = topics() + (docstrings() if self.docstrings else [])
        once = list(dict.fromkeys(paragraphs))  # some topics repeat others: no test paragraph is in the training text
        return split_text("\n\n".join(once) + "\n", 0.1, 0.1)


def topics() -> list[str]:
    """The paragraphs of all topics, in their order; rules (lines of one repeated sign) are shortened to four signs."""
    from pydoc_data.topics import topics as texts

    return [p for name in sorted(texts) for p in tidy(texts[name])]


def docstrings(files: str = "[a-z]*.py") -> list[str]:
    """The paragraphs of the docstrings of the standard library's top-level modules, read without importing them."""
    found = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob(files)):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found += tidy(ast.get_docstring(node) or "")
    return found


def tidy(text: str) -> list[str]:
    """Paragraphs without trailing spaces, with rules shortened to four signs."""
    lines = [line.rstrip() for line in text.splitlines()]
    for sign in "-=*+~^":
        lines = [line if sign * 5 not in line else line.replace(sign * 5, "").rstrip() for line in lines]
    paragraphs = "\n".join(lines).split("\n\n")
    return [p.strip("\n") for p in paragraphs if p.strip()]
