"""``dive optimizers``: a row is one training, rows are kept, and the best rate is the one that reaches the loss."""

from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from scripts.evidence import optimizer_page, optimizer_probes, optimizers
from scripts.evidence.optimizer_grid import NETWORKS, OPTIMIZERS, Network, rates
from scripts.evidence.optimizer_page import best_rate, read_rows, table


def row(rate: float, seed: int, **found: float) -> dict[str, Any]:
    return {"network": "lenet", "optimizer": "Adam", "rate": rate, "seed": seed, "loss": 0.1, **found}


def test_the_grid_is_two_decades_around_its_middle() -> None:
    for name, (_, middle) in OPTIMIZERS.items():
        found = rates(name)
        assert found[2] == middle and found == sorted(found) and found[-1] / found[0] == pytest.approx(100, rel=0.02)


def test_the_best_rate_reaches_the_loss_most_often_and_then_soonest() -> None:
    rows = [row(0.1, 0, steps=20.0, seconds=1.0), row(0.1, 1), row(0.2, 0, steps=60.0, seconds=3.0)]
    rows += [
        row(0.2, 1, steps=80.0, seconds=4.0),
        row(0.3, 0, steps=90.0, seconds=4.0),
        row(0.3, 1, steps=90.0, seconds=4.0),
    ]
    assert best_rate(rows) == 0.2 and best_rate([row(0.1, 0)]) is None
    assert "| lenet | Adam | 0.2 | 2 of 2 | 70 ± 14 | 3.50 ± 0.71 | 50.0 |" in table(rows)
    assert "| lenet | Adam | - | no rate | over 440; least loss 0.10 |" in table([row(0.1, 0)])


def test_rows_that_are_there_are_kept_and_the_page_has_table_and_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizers, "ROWS", tmp_path / "rows.csv")
    monkeypatch.setattr(optimizer_page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(optimizer_page, "PICTURE", tmp_path / "grid.png")
    (tmp_path / "page.md").write_text("a\n<!--optimizers-->\nold\n<!--/optimizers-->\nb\n")
    trained: list[tuple[float, int]] = []

    def run(network: str, name: str, rate: float, seed: int) -> dict[str, Any]:
        trained.append((rate, seed))
        found = {"steps": 40 if rate == 0.003 else 60, "seconds": 0.5} if rate > 0.001 else {}
        return {"network": network, "optimizer": name, "rate": rate, "seed": seed, **found, "loss": 0.19}

    monkeypatch.setattr(optimizers, "run_row", run)
    assert optimizers.main(["--optimizers", "Adam", "--seeds", "1"]) == 0
    assert optimizers.main(["--optimizers", "Adam", "--seeds", "2"]) == 0
    assert trained == [(rate, seed) for seed in (0, 1) for rate in rates("Adam")]
    assert len(read_rows(tmp_path / "rows.csv")) == 10 and "steps" not in read_rows(tmp_path / "rows.csv")[0]
    trained.clear()
    assert optimizers.main(["--optimizers", "Adam", "Lion", "--seeds", "4", "--best"]) == 0
    assert trained == [(0.003, 2), (0.003, 3)], "two more seeds of the best rate; Lion has no rows, so no best rate"
    text = (tmp_path / "page.md").read_text()
    assert text.startswith("a\n<!--optimizers-->\n| network") and text.endswith("<!--/optimizers-->\nb\n")
    assert (tmp_path / "grid.png").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_every_optimizer_trains_each_network(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = NETWORKS[network].recipe
    monkeypatch.setitem(NETWORKS, network, Network(recipe, 0.01, 2))
    start = optimizers.validation_loss(optimizers.model_of(recipe, [], 0), optimizers.data_of(recipe))
    for name in OPTIMIZERS if network == "lenet" else ("Adam", "SAM of SGD"):
        found = optimizers.run_row(network, name, rates(name)[2], 0)
        assert "steps" not in found and found["loss"] != pytest.approx(start, rel=1e-6), name
    again = [optimizers.run_row(network, "Adam", 0.003, 1)["loss"] for _ in range(2)]
    assert again[0] == again[1], "a seed decides weights and batches"


@pytest.mark.slow
def test_the_probes_measure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Batch normalization makes the change of the gradient smaller, on this network and in these first steps."""
    plain, normed = (optimizer_probes.smoothness(norm, 0, 11)[0] for norm in (False, True))
    assert plain > 0 and normed > 0
    monkeypatch.setattr(optimizer_probes, "SIZES", (64,))
    assert optimizer_probes.main(seeds=1, steps=1, most=4) == 0
    assert "with batch normalization" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--networks", "lenett"], "did you mean 'lenet'"),
        (["--optimizers", "Adan"], "did you mean 'Adam'"),
        (["--seeds", "0"], "--seeds 0"),
    ],
)
def test_a_wrong_command_is_one_line(words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        optimizers.main(words)


def test_there_is_nothing_to_render_without_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "ROWS", tmp_path / "none.csv")
    with pytest.raises(UserError, match="run `dive optimizers`"):
        optimizers.main(["--render"])
