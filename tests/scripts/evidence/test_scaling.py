"""`dive bench scaling`: what is measured of a step, the table, the picture; whole runs of processes are slow."""

from pathlib import Path

import pytest

from lit_models.parallel.simulator import Network, Step
from scripts.cli import main
from scripts.evidence.benches.scaling import draw, layer_bytes, lines_of, measure_step
from tests.small import SmallNet

STEP = Step(0.001, [0.001, 0.001], [4000.0, 4000.0], 0.0005)
RATES = {"strong": {1: 1000.0, 2: 1700.0}, "weak": {1: 1000.0, 2: 1900.0}}


def test_layers_gradients_begin_with_the_last() -> None:
    assert layer_bytes(SmallNet()) == [4.0 * (8 * 3 + 3), 4.0 * (2 * 8 + 8)]


def test_a_step_is_measured_in_its_parts() -> None:
    step, rows = measure_step(["linear/softmax_regression", "--data.batch_size", "8"], repeats=2)
    assert rows == 8 and step.gradients == [4.0 * (784 * 10 + 10)]
    assert min(step.forward, step.backward[0], step.optimizer) > 0


def test_the_table_has_what_was_measured_beside_what_was_simulated(tmp_path: Path) -> None:
    network = Network(50e-6, 1e9)
    lines = lines_of(RATES, STEP, network)
    assert "latency 50 us, bandwidth 1.00 GB/s" in lines[1]
    assert lines[-1].split()[:4] == ["weak", "2", "1,900", "1.90"]
    draw(RATES, STEP, network, tmp_path / "a/scaling.png")
    assert (tmp_path / "a/scaling.png").stat().st_size > 1000


def test_a_wrong_number_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "scaling", "cnn/lenet", "--processes", "0"]) == 2
    assert "--processes and --steps" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_are_measured_and_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["bench", "scaling", "cnn/lenet", "--processes", "2", "--steps", "5"]) == 0
    out = capsys.readouterr().out
    assert out.count("\nstrong") == out.count("\nweak") == 2
    assert Path(out.split()[-1]).is_file()
