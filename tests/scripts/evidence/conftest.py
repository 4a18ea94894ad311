"""A fixture that counts what a benchmark really does."""

from collections.abc import Iterator

import pytest

from tests.scripts.evidence.witness import Witness


@pytest.fixture
def witness() -> Iterator[Witness]:
    witness = Witness()
    yield witness
    for hook in witness.hooks:
        hook.remove()
