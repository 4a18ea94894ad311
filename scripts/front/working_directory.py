"""Modules in the folder in which ``dive`` runs: a config may name their classes, and they cannot replace our modules.

A folder there may have the name of one of our packages (``callbacks/``, ``scripts/``). Ours is imported first, for any
order of ``sys.path``; the folder is then searched for modules that ours does not have: ``callbacks.mine`` is found,
``callbacks.epoch_lines`` stays ours.
"""

import sys
from importlib import import_module
from pathlib import Path

from scripts.front.recipes import CONFIGS

PACKAGES = ("common", "lit_models", "datamodules", "callbacks", "scripts")


def add_working_directory() -> None:
    """Lets configs name modules of the working directory, after everything installed and after our own."""
    here, root = Path.cwd(), CONFIGS.parent
    sys.path.insert(0, str(root))
    try:
        for name in PACKAGES:
            extend(name, root / name, here / name)
    finally:
        sys.path.remove(str(root))
    if str(here) not in sys.path and "" not in sys.path:
        sys.path.append(str(here))


def extend(package: str, own: Path, other: Path) -> None:
    """Searches a second folder, and its sub-folders of our names, for the modules of a package."""
    if not other.is_dir() or other.samefile(own):
        return
    places = import_module(package).__path__
    if str(other) not in places:
        places.append(str(other))
    for folder in own.iterdir():
        if (folder / "__init__.py").is_file():
            extend(f"{package}.{folder.name}", folder, other / folder.name)
