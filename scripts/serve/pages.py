"""The pages of ``dive serve``, found by listing folders: every ``scripts/serve/NAME/page.py`` is one.

Such a module says which run it accepts and has the routes; CONTRIBUTING.md, "Add a page", shows one::

    TITLE = "Films"                              in the browser's tab and on top
    ACCEPTS = "a recommender"                    in the line that refuses another run
    def accepts(loaded: Loaded) -> bool          whether the page is for this run
    def router(site: Site) -> APIRouter          the routes, of which "/" is the first

It may also have ``NAVIGATION`` (pairs of address and text), ``add_options(parser)`` (options of its own; a parsed
command is ``site.options``), ``prepare(loaded)`` (what is computed once for a run: ``site.models.current.prepared``),
``facts(site)`` (pairs of name and value for the administrator) and ``instead(site)`` (does something else than serving
if an option says so, and returns the exit code). Templates and files of its folders ``templates`` and ``static`` are
found by name; ``/static/NAME/FILE`` is the address of such a file.
"""

import argparse
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from common.messages import UserError
from scripts.serve.models import Loaded

HERE = Path(__file__).parent


class Page:
    """A page module with defaults for what it does not have.

    Args:
        module: The module.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.folder = Path(str(module.__file__)).parent
        self.name = self.folder.name
        self.title: str = module.TITLE
        self.says: str = module.ACCEPTS
        self.navigation: tuple[tuple[str, str], ...] = getattr(module, "NAVIGATION", ())
        self.accepts = module.accepts
        self.router = module.router

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Adds the options of the page."""
        self.call("add_options", parser)

    def call(self, name: str, *arguments: Any) -> Any:
        """What a function of the module returns; None where it has none of this name."""
        function = getattr(self.module, name, None)
        return None if function is None else function(*arguments)

    def refuse(self, loaded: Loaded) -> None:
        """Raises a ``UserError`` where the run is of another kind."""
        if not self.accepts(loaded):
            kind = type(loaded.model).__name__
            raise UserError(f"{loaded.run} is a run of {kind}: the page {self.name} needs {self.says}")


def find_pages() -> list[Page]:
    """All pages, by name."""
    found = sorted(path.parent.name for path in HERE.glob("*/page.py"))
    return [Page(import_module(f"scripts.serve.{name}.page")) for name in found]


def page_for(loaded: Loaded) -> Page:
    """The page that accepts a run.

    Raises:
        UserError: There is none.
    """
    pages = find_pages()
    for page in pages:
        if page.accepts(loaded):
            return page
    known = "; ".join(f"{page.name} needs {page.says}" for page in pages)
    raise UserError(f"{loaded.run} is a run of {type(loaded.model).__name__}, for which there is no page: {known}")
