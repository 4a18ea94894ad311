"""What is exported is the same network, in a process that knows nothing of the run."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from scripts.cli import main
from scripts.front.runs import newest_run
from scripts.verbs.export import load_network, outputs
from tests.warm import start, wait

LENET = "cnn/lenet"
QUICK = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "1"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export folder of a small run."""
    root = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(root))
        assert main(["fit", LENET, *QUICK, "--model.activation", "tanh"]) == 0
        assert main(["export", LENET]) == 0
        return newest_run(LENET) / "export"


def reload(folder: Path) -> None:
    """Both forms, on the example."""
    known = load_file(folder / "example.safetensors")
    inputs = [known[f"input{k}"] for k in range(sum("input" in name for name in known))]
    for network in (load_network(folder / "model.safetensors"), torch.export.load(folder / "model.pt2").module()):
        with torch.no_grad():
            for name, value in outputs(network(*inputs)).items():
                torch.testing.assert_close(value, known[name], rtol=1e-6, atol=1e-6)


def test_both_forms_are_the_network_in_a_fresh_process(exported: Path, tmp_path: Path) -> None:
    assert wait(start(reload, exported, log=tmp_path / "log")) == [0], (tmp_path / "log").read_text()


def test_the_weights_are_the_best_checkpoints(exported: Path) -> None:
    best = torch.load(exported.parent / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    weights = load_file(exported / "model.safetensors")
    assert {f"net.{name}" for name in weights} <= set(best)
    assert all(torch.equal(value, best[f"net.{name}"]) for name, value in weights.items())


def test_the_arguments_stand_in_the_file(exported: Path) -> None:
    with safe_open(exported / "model.safetensors", framework="pt") as file:
        assert '"activation": "tanh"' in file.metadata()["arguments"]
        assert file.metadata()["class"] == "lit_models.cnn.lenet.LitLeNet"


def test_the_graph_takes_a_batch_of_any_size(exported: Path) -> None:
    graph = torch.export.load(exported / "model.pt2").module()
    assert graph(torch.zeros(5, 1, 28, 28)).shape == (5, 10)


def test_without_a_run_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", LENET]) == 2
    assert f"no run of {LENET}" in capsys.readouterr().err
