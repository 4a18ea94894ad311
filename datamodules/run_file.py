"""A run remembers the file that it was trained on: another one is tested whole, one that changed is refused.

The split is drawn from the rows of a file. Of a file that changed at its place, rows that were trained on would be
tested. ``KnowsItsFolder`` in ``datamodules/vision/class_folders.py`` does the same for folders.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.messages import UserError
from datamodules.cache import digest_of_file


def identity(path: str | Path) -> dict[str, str]:
    """What a run keeps of a file, to know it again: its place and SHA-256 of its bytes."""
    return {"path": str(Path(path).resolve()), "sha256": digest_of_file(str(path))}


class KnowsItsFile:
    """For a datamodule of one's own file: a run keeps which file it was trained on, and another one is tested whole."""

    path: str
    facts: list[str]
    run_file: dict[str, str] | None = None  # the file or folder that the run was trained on
    of_older_run = False  # whether the run that trained the model kept none
    other_file = False  # whether another one is tested

    def processor(self) -> dict[str, Any]:
        file = {"file": self.run_file} if self.run_file else {}
        return {**super().processor(), **file}  # type: ignore[misc]

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)  # type: ignore[misc]
        self.run_file = processor.get("file")
        self.of_older_run = not self.run_file

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Compares what is tested with the run's data, where it is not another file, which has been said already."""
        if not self.other_file:
            super().load_state_dict(state_dict)  # type: ignore[misc]

    def is_another(self, stage: str) -> bool:
        """Whether a stage evaluates another file than the run's; it is the run's where none is known yet.

        Raises:
            UserError: It is the run's by its place, but its content changed.
        """
        if not self.path or not Path(self.path).is_file():
            return False  # the reader says what is wrong
        return self.differs(stage, self.path, lambda: identity(self.path))

    def differs(
        self, stage: str, place: str, now: Callable[[], dict[str, str]], kind: str = "file", part: str = ""
    ) -> bool:
        """Whether what a stage evaluates is not what the run was trained on, with a fact that says so.

        Args:
            stage: Of Lightning.
            place: The path, for messages.
            now: Makes the identity of what is there.
            kind: What it is: a file or a folder.
            part: What of another one is evaluated, where its split is not drawn; empty: it is drawn, all of it is.

        Raises:
            UserError: The split is drawn from what is at the place of the run's, but changed.
        """
        if self.of_older_run:
            return False
        if self.run_file is None:
            self.run_file = now()
            return False
        if stage not in ("test", "validate") or (found := now())["sha256"] == self.run_file["sha256"]:
            return False
        if found["path"] == self.run_file["path"]:
            if part:
                return False
            option, what = ("path", "its content") if kind == "file" else ("root", "names or sizes of its files")
            name = f"test_{option}" if hasattr(self, f"test_{option}") else option
            raise UserError(
                f"{place}: {what} changed since training, and a new split would test rows that were trained on: "
                f"train again, or give --data.{name} with new rows only, which are all tested"
            )
        self.other_file = True
        self.facts.append(f"not the {kind} of the run: {part or 'all of it'}")
        return True
