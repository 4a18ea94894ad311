"""The optimizers and schedules of ``lit_models/optimization`` by short names, found as text, without an import.

A bare name (``--model.optimizer Lion``) is ours if torch has no class of that name; where both have one, torch's is
meant and ``lit_models.optimization.Adam`` is ours. A file of ours need not be known: every class of the folder is
reached by ``lit_models.optimization.NAME``, on the command line and in YAML.
"""

import re
from functools import cache
from pathlib import Path

PACKAGE = "lit_models.optimization"
FOLDER = Path(__file__).resolve().parents[2] / "lit_models" / "optimization"
#: Names that torch.optim has too; with ours imported, jsonargparse would not know which is meant.
TORCH = ("SGD", "Adam", "AdamW", "Adadelta", "LBFGS", "Muon")
OPTION = re.compile(r"--model\.(init_args\.)?\w*(optimizer|lr_scheduler)(\.(init_args\.)?base)?(\.class_path)?")


@cache
def own_classes() -> dict[str, str]:
    """The import path of each class of the folder, by its name."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        for name in re.findall(r"^class (\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            if not name.startswith("Lit"):
                found[name] = f"{PACKAGE}.{path.stem}.{name}"
    return found


def in_full(name: str) -> str:
    """``lit_models.optimization.NAME`` with its file; any other text as it is."""
    package, _, last = name.rpartition(".")
    return own_classes().get(last, name) if package == PACKAGE else name


def meant(name: str) -> str:
    """The import path of a name that was typed for an optimizer or a schedule."""
    if name in TORCH:
        return f"torch.optim.{name}"
    return in_full(name) if "." in name else own_classes().get(name, name)


def expand_optimizers(words: list[str]) -> list[str]:
    """Command-line words with paths in place of names, after the options of optimizers and schedules."""
    found: list[str] = []
    for k, word in enumerate(words):
        option, equals, value = word.partition("=")
        if equals and OPTION.fullmatch(option):
            found.append(f"{option}={meant(value)}")
        else:
            found.append(meant(word) if k and OPTION.fullmatch(words[k - 1]) else word)
    return found
