"""The model that is served: loaded once, replaced as a whole.

A request takes ``models.current`` once and keeps it; a newer run that is put in its place in the meantime changes
nothing for it. A run that cannot be used (another kind, damaged) leaves the one in place.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from common.messages import UserError
from scripts.front.runs import checkpoint_of, path_of, runs_of, runs_root


@dataclass(frozen=True)
class Loaded:
    """A run with its weights.

    Args:
        model, data: The LightningModule in evaluation mode, and the datamodule with what ``processor.json`` kept.
        run: The run's folder.
        recipe: Whose run it is, such as ``recommender/mf``.
        prepared: What the page makes of it before it is served (``prepare``).
    """

    model: Any
    data: Any
    run: Path
    recipe: str
    prepared: Any = field(default=None, repr=False)


class Models:
    """The run that is served, and how another one takes its place.

    Args:
        loaded: The first one.
        accept: Refuses a run that the page cannot use (``UserError``).
        prepare: What the page makes of a run.
    """

    def __init__(
        self, loaded: Loaded, accept: Callable[[Loaded], None], prepare: Callable[[Loaded], Any] = lambda run: None
    ) -> None:
        self.accept, self.prepare = accept, prepare
        self.swapping = threading.Lock()
        self.swaps = 0
        self.current = self.ready(loaded)

    def ready(self, loaded: Loaded) -> Loaded:
        """The run with what the page makes of it.

        Raises:
            UserError: The page cannot use it.
        """
        self.accept(loaded)
        return replace(loaded, prepared=self.prepare(loaded))

    def prepare_with(self, prepare: Callable[[Loaded], Any]) -> None:
        """Sets what is made of each run, and does it for the one in place: where a page needs its site for it."""
        self.prepare = prepare
        self.current = self.ready(self.current)

    def swap(self, run: Path) -> Loaded:
        """Puts another run in place; one at a time.

        Raises:
            UserError: It cannot be used, or another swap goes on.
        """
        if not self.swapping.acquire(blocking=False):
            raise UserError("another run is being loaded: try again when it is in place")
        try:
            loaded = self.ready(load_run(str(run)))
            self.current = loaded  # one assignment: no request sees half of it
            self.swaps += 1
            return loaded
        finally:
            self.swapping.release()

    def usable(self) -> list[Path]:
        """The runs of the same recipe that have a checkpoint, the newest first."""
        runs = runs_of(self.current.recipe)
        return [run for run in reversed(runs) if any(path_of(run, name).exists() for name in ("best", "last"))]


def load_run(what: str, checkpoint: str = "best") -> Loaded:
    """The model of a recipe's newest run, or of a run's folder.

    Raises:
        UserError: There is no such run, or it is damaged.
    """
    import torch

    from scripts.front.arguments import resolve
    from scripts.front.restored import restore

    words = ["--run", what] if Path(what).is_dir() else [what]
    found = resolve("test", [*words, "--ckpt_path", checkpoint])
    run = found.run
    if run is None:
        raise UserError(f"{checkpoint} lies in no run folder: give the folder of its run")
    model, data = restore(run, found.checkpoint or checkpoint_of(run, checkpoint))
    model.to("cuda" if torch.cuda.is_available() else "cpu").requires_grad_(False)
    return Loaded(model, data, run, recipe_of(run) or found.recipe)


def recipe_of(run: Path) -> str:
    """The recipe of a run by its place under ``$DIVE_RUNS``; empty where it lies elsewhere."""
    try:
        return run.resolve().parent.relative_to(runs_root().resolve()).as_posix()
    except ValueError:
        return ""
