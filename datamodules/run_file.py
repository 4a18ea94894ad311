"""A run remembers the file that it was trained on: another one is tested whole, one that changed is refused.

The split is drawn from the rows of a file. Of a file that changed at its place, rows that were trained on would be
tested. ``KnowsItsFolder`` in ``datamodules/vision/class_folders.py`` does the same for folders.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from common.messages import UserError
from datamodules.cache import digest_of_file


def identity(path: str | Path, **others: str) -> dict[str, str]:
    """What a run keeps of a file, to know it again: its place and SHA-256 of its bytes.

    Args:
        path: The file.
        **others: Files that belong to it, by a name for each: ``target`` gives ``target_path`` and ``target_sha256``.
    """
    known = {"path": str(Path(path).resolve()), "sha256": digest_of_file(str(path))}
    for name, other in others.items():
        known |= {f"{name}_{key}": value for key, value in identity(other).items()}
    return known


def same_content(run: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Whether all that a run keeps of the content of its files is what was found."""
    return all(found.get(key) == value for key, value in run.items() if key.endswith("sha256"))


class KnowsItsFile:
    """For a datamodule of one's own file: a run keeps which file it was trained on, and another one is tested whole."""

    path: str
    facts: list[str]
    run_file: dict[str, str] | None = None  # the file or folder that the run was trained on
    of_older_run = False  # whether the run that trained the model kept none
    #: The option that names the file, and what of it decides the split, for messages.
    option, decides = "path", "its content"
    tested_whole = True  # whether another one is: else it is split as the run's was
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

    def own_files(self) -> dict[str, str]:
        """The file from which the split is drawn, as ``path``, and those that belong to it, as for ``identity``."""
        return {"path": self.path}

    def is_another(self, stage: str) -> bool:
        """Whether a stage evaluates another file than the run's; it is the run's where none is known yet.

        Raises:
            UserError: It is the run's by its place, but its content changed; of several files, one is the run's.
        """
        files = self.own_files()
        if not all(path and Path(path).is_file() for path in files.values()):
            return False  # the reader says what is wrong
        decides = self.decides if len(files) == 1 else "the content of one of them"
        return self.differs(stage, " and ".join(files.values()), lambda: identity(**files), decides)

    def differs(
        self, stage: str, place: str, now: Callable[[], dict[str, str]], decides: str = "", part: str = ""
    ) -> bool:
        """Whether what a stage evaluates is not what the run was trained on, with a fact that says so.

        Args:
            stage: Of Lightning.
            place: The path, for messages.
            now: Makes the identity of what is there.
            decides: What of it decides the split, for messages; empty: as the class says.
            part: What of another one is evaluated, where its split is not drawn; empty: it is drawn, all of it is.

        Raises:
            UserError: The split is drawn from what is at the place of the run's, but changed.
        """
        if self.of_older_run:
            return False
        if self.run_file is None:
            self.run_file = now()
            return False
        if stage not in ("test", "validate") or same_content(self.run_file, found := now()):
            return False
        if any(found.get(key) == value for key, value in self.run_file.items()):
            if part:
                return False
            name = f"test_{self.option}" if hasattr(self, f"test_{self.option}") else self.option
            new = f", or give --data.{name} with new rows only, which are all tested" if self.tested_whole else ""
            raise UserError(
                f"{place}: {decides or self.decides} changed since training, and a new split would test rows that were "
                f"trained on: train again{new}"
            )
        if not self.tested_whole:
            return False
        self.other_file = True
        kind = "folder" if self.option == "root" else "file"
        self.facts.append(f"not the {kind} of the run: {part or 'all of it'}")
        return True
