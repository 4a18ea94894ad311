"""Which sizes go from the data to the model: the names that datamodule classes declare in their attribute ``links``.

A declared argument of the datamodule becomes the model's argument of the same name while the command is parsed, if
both sides have it. A class without ``links`` that takes a declared name (a person's own, with ``num_classes``)
is linked by it too.
"""

import ast
from functools import cache
from pathlib import Path

from scripts.front.recipes import CONFIGS


@cache
def declared_links(folder: Path = CONFIGS.parent / "datamodules") -> frozenset[str]:
    """All names that the classes in a folder declare; their files are read and not imported."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "links" in text:
            for klass in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)):
                names |= {name for statement in klass.body for name in links_of(statement)}
    return frozenset(names)


def links_of(statement: ast.stmt) -> tuple[str, ...]:
    """The names in ``links = (...)``; none in any other statement."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    if not any(isinstance(target, ast.Name) and target.id == "links" for target in targets):
        return ()
    return tuple(ast.literal_eval(statement.value))  # type: ignore[attr-defined]
