"""``dive scaling``: rows that stay, a prediction before the largest run, the page."""

from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from scripts.evidence import scaling


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files of its own, and the widths and epochs that would have been trained."""
    asked: list[str] = []

    def run_once(recipe: Any, seed: int, arguments: list[str]) -> dict[str, Any]:
        width, epochs = int(arguments[1]), int(arguments[3])
        asked.append(f"{width} {epochs}" + (" predicted" if scaling.PREDICTION.is_file() else ""))
        n, d = 2000 * width, 100_000 * epochs
        return {"parameters": n, "cpu_seconds": 1.0, "metrics": {"test/loss": 2 + 60 * n**-0.4 + 900 * d**-0.5}}

    monkeypatch.setattr(scaling, "run_once", run_once)
    monkeypatch.setattr(scaling, "tokens_of", lambda epochs: 100_000 * epochs)
    monkeypatch.setattr(scaling, "parameters_of", lambda width, epochs: 2000 * width)
    monkeypatch.setattr(scaling, "TIMES", 4)
    for name, file in (("ROWS", "rows.csv"), ("PREDICTION", "p.json"), ("PAGE", "page.md"), ("PICTURE", "p.png")):
        monkeypatch.setattr(scaling, name, tmp_path / file)
    (tmp_path / "page.md").write_text("a\n<!--scaling-->\nold\n<!--/scaling-->\nb\n")
    return asked


def test_the_largest_run_is_predicted_before_it_is_trained_and_no_run_is_repeated(trained: list[str]) -> None:
    scaling.measure([0])
    assert len(trained) == 19 and trained[-1] == "160 6 predicted" and not any("predicted" in t for t in trained[:-1])
    scaling.measure([0])
    assert len(trained) == 19
    assert scaling.main(["--render"]) == 0
    page = scaling.PAGE.read_text()
    assert "old" not in page and "| 320,000 | 600,000 |" in page and page.endswith("<!--/scaling-->\nb\n")
    predicted, measured = page.split("before it was trained: ")[1].split(" nats")[0], page.split("Measured: ")[1][:5]
    assert float(predicted) == pytest.approx(float(measured), rel=0.02)
    assert scaling.PICTURE.stat().st_size > 5000


def test_a_prediction_after_the_fact_and_a_page_without_marks_are_one_line(trained: list[str]) -> None:
    scaling.append_row(scaling.ROWS, scaling.COLUMNS, scaling.KEY, scaling.run_row(*scaling.LARGEST, 0))
    with pytest.raises(UserError, match="a prediction comes first"):
        scaling.predict()
    scaling.PAGE.write_text("nothing")
    with pytest.raises(UserError, match="has no <!--scaling-->"):
        scaling.render()
