"""``dive regret``: a row is one run, rows are kept, and the table says how often random search is beaten."""

from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from scripts.evidence import regret
from scripts.evidence.regret import OBJECTIVES, Objective, read_rows, table


def row(method: str, repeat: int, *regrets: float) -> dict[str, Any]:
    values = [*[1.0] * (OBJECTIVES["branin"].evaluations - len(regrets)), *regrets]
    return {"objective": "branin", "method": method, "repeat": repeat, "seconds": 1.0, "regrets": values}


def test_the_table_compares_with_random_search_repeat_by_repeat() -> None:
    rows = [row("random", 0, 0.5), row("random", 1, 0.1), row("ei", 0, 0.2), row("ei", 1, 0.2)]
    text = table(rows)
    assert "| branin | random | 2 | 1.0000 | 0.3000 ± 2.5412 | - |" in text
    assert "| branin | ei | 2 | 1.0000 | 0.2000 ± 0.0000 | 1 of 2 |" in text


def test_rows_are_kept_and_the_page_has_table_and_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, file in {"ROWS": "rows.csv", "PAGE": "page.md", "PICTURE": "regret.png"}.items():
        monkeypatch.setattr(regret, name, tmp_path / file)
    (tmp_path / "page.md").write_text("a\n<!--regret-->\nold\n<!--/regret-->\nb\n")
    monkeypatch.setitem(OBJECTIVES, "branin", Objective("branin", "BRANIN_MINIMUM", 2, 7, 5))
    words = ["--objectives", "branin", "--methods", "random", "ei", "--repeats"]
    assert regret.main([*words, "1"]) == 0
    first = read_rows(tmp_path / "rows.csv")
    assert regret.main([*words, "2"]) == 0
    rows = read_rows(tmp_path / "rows.csv")
    assert rows[:2] == first and [row["repeat"] for row in rows] == [0, 0, 1, 1]
    assert all(row["regrets"] == sorted(row["regrets"], reverse=True) and len(row["regrets"]) == 7 for row in rows)
    assert rows[0]["regrets"][:5] == rows[1]["regrets"][:5], "the same places to begin with"
    text = (tmp_path / "page.md").read_text()
    assert text.startswith("a\n<!--regret-->\n| function") and text.endswith("<!--/regret-->\nb\n")
    assert (tmp_path / "regret.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--objectives", "brannin"], "did you mean 'branin'"),
        (["--methods", "eii"], "did you mean 'ei'"),
        (["--repeats", "0"], "--repeats 0"),
    ],
)
def test_a_wrong_command_is_one_line(words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        regret.main(words)
