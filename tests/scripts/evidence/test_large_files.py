"""Large files: what is measured of small ones, and the page's table."""

from pathlib import Path

import pytest

from scripts.evidence import large_files
from scripts.evidence.large_files import FIRST, LAST, PAGE, WHAT, WRITE, measure, table
from scripts.evidence.pages import between


def test_the_table_has_a_line_for_what_was_measured() -> None:
    first = {"seconds": 57.2, "cpu": 27.2, "mb": 114.0, "peak": 1.5}
    shown = table({"table": {"first": first, "second": first | {"cpu": 8.04, "peak": 1.2}}})
    assert shown.splitlines()[2:] == [f"| {WHAT['table']} | 114 | 27 | 8.0 | 1.50 | 1.20 |"]


def test_the_page_has_the_table_of_the_stored_numbers() -> None:
    text = PAGE.read_text()
    known = large_files.results()
    assert set(known) <= set(WHAT) == set(WRITE)
    assert between(text, FIRST, LAST, table(known), PAGE.name) == text


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("kind", "count", "size"), [("pictures", 400, 400 * 3 * 64 * 64), ("text", 3_000_000, 2_000_000)]
)
def test_a_file_is_read_in_a_process_of_its_own(kind: str, count: int, size: int) -> None:
    found = measure(kind, count)
    assert set(found) == {"first", "second"}
    for start in found.values():
        assert start["seconds"] > 0 and start["mb"] * 1e6 >= 0.5 * size and start["peak"] > 0.5
