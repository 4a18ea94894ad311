"""Runs that nothing interrupted, to compare with."""

from pathlib import Path

import pytest

from tests.faults.runs import run


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The folders of runs of one process and of two."""
    folders = {world: tmp_path_factory.mktemp("whole") for world in (1, 2)}
    for world, folder in folders.items():
        run(folder, world)
    return folders
