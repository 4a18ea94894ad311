"""``dive compare``: networks of equal size, rows that stay, tables in the page."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from scripts.evidence import compare
from scripts.front.build import build


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Files of its own, and what would have been trained."""
    asked: list[tuple[str, list[str]]] = []

    def run_once(recipe: Any, seed: int, arguments: list[str]) -> dict[str, Any]:
        asked.append((recipe.name, arguments))
        metrics = {"val/acc": 0.5 + seed / 4, "test/acc": 0.25}
        return {"parameters": 105_280, "cpu_seconds": 12.34, "metrics": metrics}

    monkeypatch.setattr(compare, "run_once", run_once)
    monkeypatch.setattr(compare, "ROWS", tmp_path / "rows.csv")
    return asked


def test_rows_that_are_there_are_not_trained_again_and_the_table_has_their_mean(rows: list[Any]) -> None:
    compare.measure(["recall"], [0])
    compare.measure(["recall", "sums"], [0, 1])
    assert [recipe for recipe, _ in rows] == ["rwkv/recall"] * 7 + ["rwkv/state_tracking"] * 7 + ["rwkv/recall"] * 7 + [
        "rwkv/state_tracking"
    ] * 7
    assert rows[2][1][:2] == ["--model.version", "6"] and rows[7][1][-2:] == ["--data.modulus", "5"]
    assert "| RWKV-7 | 105,280 | 0, 1 | 0.625 | 0.250 | 12 |\n" in compare.table("recall", compare.read_rows())
    assert compare.table("parity", compare.read_rows()).count("not run") == 7


def test_tables_are_between_their_marks(rows: list[Any], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("".join(f"a\n<!--networks {task}-->\nold\n<!--/networks-->\nb\n" for task in compare.TASKS))
    compare.render(page)
    assert page.read_text().count("| RWKV-7 |") == 6 and "old" not in page.read_text()
    page.write_text("nothing")
    with pytest.raises(UserError, match="has no <!--networks recall-->"):
        compare.render(page)
    with pytest.raises(UserError, match="did you mean 'parity'"):
        compare.main(["pariti"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "task", ["recall", "parity", "manual", "names", pytest.param("time_machine", marks=pytest.mark.realdata)]
)
def test_the_networks_have_as_many_parameters_within_two_percent(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {}
    own = compare.TASKS[task]
    for name, words in own.networks.items():
        _, model, data = build([own.recipe, *shlex.split(f"{words} {own.arguments}")])
        sizes[name] = sum(p.numel() for p in model.parameters())
        tokens = torch.randint(2, (1, 4 * data.seq_len if task == "parity" else data.seq_len))
        assert model(tokens).shape == (*tokens.shape, data.vocab_size)  # GPT's positions go beyond the trained length
    assert max(sizes.values()) < 1.02 * sizes["RWKV-7"] and min(sizes.values()) > 0.98 * sizes["RWKV-7"], sizes
