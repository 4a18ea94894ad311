"""What is exported is the same model, in a process that knows nothing of the run."""

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from scripts.cli import main
from scripts.front.build import build
from scripts.front.graphs import example_of, outputs_of, save_graph, save_onnx
from scripts.front.recipes import Recipe
from scripts.front.runs import newest_run
from scripts.verbs.export import load_network, write
from tests.recipes import drawn, params, slow_but
from tests.warm import start, wait

LENET = "cnn/lenet"
QUICK = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "1"]


#: One offline recipe of six topics is quick. The triangular systems of RWKV-7 take torch six seconds to trace;
#: rwkv/rwkv, small, is of version 4.
QUICKLY = drawn(1, "export", lambda recipe: recipe.name not in ("rwkv/recall", "rwkv/reverse"), topics=6)
RECIPES = slow_but(QUICKLY, params())
#: It becomes an ONNX file too, as do all slow ones; RWKV takes six seconds for it.
ONNX = {name for name in QUICKLY if not name.startswith("rwkv/")}


def batch_of(inputs: tuple[Tensor, ...], rows: int) -> tuple[Tensor, ...]:
    """The same rows again, to another number of them, with other numbers where they are real."""
    found = [torch.cat([x] * rows)[:rows] for x in inputs]
    return tuple(torch.randn_like(x) if x.is_floating_point() else x for x in found)


def same_outputs(model: nn.Module, others: list[nn.Module], inputs: tuple[Tensor, ...]) -> None:
    known = outputs_of(model, inputs)
    assert known and all(len(value) == len(inputs[0]) for value in known.values())
    for other in others:
        for name, value in outputs_of(other, inputs).items():
            torch.testing.assert_close(value, known[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_form_computes_what_the_model_does_at_any_batch_size(recipe: Recipe, tmp_path: Path) -> None:
    _, model, data = build([recipe.name, *shlex.split(recipe.header.get("small", ""))])
    for name, value in model.named_buffers():
        if name.startswith("target_"):
            value.fill_(3.0)  # a table's target is seldom around zero
    onnx = recipe.name in ONNX or recipe.name not in QUICKLY
    why_not = write(model.eval(), data, tmp_path, onnx=onnx)
    others: list[nn.Module] = [load_network(tmp_path / "model.safetensors")]
    if "export" in recipe.header:
        assert "model.pt2" in why_not, f"{recipe.name} has a graph: its header's export: is not true any longer"
        assert not (tmp_path / "model.pt2").is_file()
    else:
        assert "model.pt2" not in why_not, "say why not in the recipe's header (export:)"
        assert not onnx or ("model.onnx" in why_not) == ("onnx" in recipe.header), (
            f"say why not in the recipe's header (onnx:), or take it away where it is not true: {why_not}"
        )
        assert (tmp_path / "model.onnx").is_file() == (onnx and "model.onnx" not in why_not)
        others.append(torch.export.load(tmp_path / "model.pt2").module())
    for rows in (3, 1):  # exported with two
        same_outputs(model, others, batch_of(example_of(model), rows))
    said = json.loads((tmp_path / "export.json").read_text())
    assert said["after"] and [part["shape"][0] for part in said["inputs"]] == ["batch"] * len(said["inputs"])


def test_an_onnx_file_with_other_outputs_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    right, wrong = nn.Linear(3, 2).eval(), nn.Linear(3, 2).eval()
    inputs = (torch.randn(2, 3),)
    program, _ = save_graph(right, inputs, tmp_path / "model.pt2")
    assert program is not None
    assert save_onnx(right, program, inputs, tmp_path / "model.onnx") == "" and (tmp_path / "model.onnx").is_file()
    assert "differs by" in save_onnx(wrong, program, inputs, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").is_file()


def test_an_unknown_format_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", LENET, "--format", "tflite"]) == 2
    assert "--format tflite: give one of pt2, onnx" in capsys.readouterr().err


# -- a run ----------------------------------------------------------------------------------------------------------


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
    inputs = tuple(known[f"input{k}"] for k in range(sum("input" in name for name in known)))
    for network in (load_network(folder / "model.safetensors"), torch.export.load(folder / "model.pt2").module()):
        for name, value in outputs_of(network, inputs).items():
            torch.testing.assert_close(value, known[name], rtol=1e-6, atol=1e-6)


def test_both_forms_are_the_model_in_a_fresh_process(exported: Path, tmp_path: Path) -> None:
    assert wait(start(reload, exported, log=tmp_path / "log")) == [0], (tmp_path / "log").read_text()


def test_the_weights_are_the_best_checkpoints(exported: Path) -> None:
    best = torch.load(exported.parent / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    weights = load_file(exported / "model.safetensors")
    assert weights.keys() == best.keys()
    assert all(torch.equal(value, best[name]) for name, value in weights.items())


def test_the_arguments_stand_in_the_file(exported: Path) -> None:
    with safe_open(exported / "model.safetensors", framework="pt") as file:
        assert '"activation": "tanh"' in file.metadata()["arguments"]
        assert file.metadata()["class"] == "lit_models.cnn.lenet.LitLeNet"


def test_without_a_run_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", LENET]) == 2
    assert f"no run of {LENET}" in capsys.readouterr().err


def both_forms(recipe: str) -> tuple[Path, list[nn.Module]]:
    """Exports the newest run; its folder, and the reloaded model and graph."""
    assert main(["export", recipe, "--format", "pt2"]) == 0
    folder = newest_run(recipe) / "export"
    return folder, [load_network(folder / "model.safetensors"), torch.export.load(folder / "model.pt2").module()]


@pytest.mark.parametrize("log_target", [False, True])
def test_a_table_is_predicted_in_the_units_of_its_target(tmp_path: Path, log_target: bool) -> None:
    areas = [40 + 4 * i for i in range(40)]
    (tmp_path / "houses.csv").write_text("area,price\n" + "".join(f"{a},{1000 * a + a % 7}\n" for a in areas))
    data = ["--data", "CSVTable", "--data.path", str(tmp_path / "houses.csv"), "--data.target", "price"]
    assert main(["fit", "mlp/mlp_regression", *data, "--data.log_target", str(log_target).lower(), *QUICK]) == 0
    assert main(["predict", "mlp/mlp_regression"]) == 0
    folder, forms = both_forms("mlp/mlp_regression")
    column = json.loads((folder / "processor.json").read_text())["columns"][0]
    rows = list(csv.DictReader((folder.parent / "predictions.csv").open()))
    x = torch.tensor([[(float(row["area"]) - column["mean"]) / column["std"]] for row in rows])
    predicted = torch.tensor([[float(row["prediction"])] for row in rows])
    said = json.loads((folder / "export.json").read_text())
    assert said["processor"] == "processor.json" and ("exp gives its units" in said["after"]) == log_target
    for form in forms:
        found = form(x).detach()
        torch.testing.assert_close(found.exp() if log_target else found, predicted, rtol=1e-4, atol=1e-2)


def photos(folder: Path) -> Path:
    import numpy as np
    from PIL import Image

    chance = np.random.default_rng(0)
    for name, light in (("dark", 70), ("light", 180)):
        (folder / name).mkdir(parents=True)
        for i in range(10):
            pixels = chance.normal(light, 40, (32, 32, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.mark.slow
def test_published_weights_keep_their_normalization(tmp_path: Path) -> None:
    from lit_models.cnn.resnet import ResNet

    torch.save(ResNet(depth=18, in_channels=3).state_dict(), tmp_path / "resnet18.pth")
    data = ["--data", "ImageFolder", "--data.root", str(photos(tmp_path / "photos")), "--data.image_size", "32"]
    assert main(["fit", "cnn/resnet", *data, "--model.weights", str(tmp_path / "resnet18.pth"), *QUICK]) == 0
    (tmp_path / "resnet18.pth").unlink()
    assert main(["predict", "cnn/resnet"]) == 0
    folder, forms = both_forms("cnn/resnet")
    compare_with_predictions(folder, forms, tmp_path / "photos")


def compare_with_predictions(folder: Path, forms: list[nn.Module], root: Path) -> None:
    """What the forms compute of pictures in [0, 1] is in ``predictions.csv``."""
    import numpy as np
    from PIL import Image

    names = json.loads((folder / "processor.json").read_text())["class_names"]
    rows = list(csv.DictReader((folder.parent / "predictions.csv").open()))[:3]
    pictures = [np.asarray(Image.open(root / row["name"]).convert("RGB")) for row in rows]
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    expected = torch.tensor([[float(row[f"p({name})"]) for name in names] for row in rows])
    for form in forms:
        torch.testing.assert_close(form(x).detach().softmax(1), expected, rtol=1e-3, atol=1e-4)


NETWORK = """
from torch import nn
class MyNet(nn.Module):
    def __init__(self, num_classes: int = 10, width: int = 3):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, num_classes))
    def forward(self, x):
        return self.layers(x)
"""


def test_a_network_of_ones_own_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_exported.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    own: list[Any] = ["--model.net", "mine_exported.MyNet", "--model.net.width", "5"]
    assert main(["fit", LENET, *QUICK, *own]) == 0
    folder, forms = both_forms(LENET)
    known = load_file(folder / "example.safetensors")
    for form in forms:
        torch.testing.assert_close(form(known["input0"]).detach(), known["output0"])
    assert forms[0].net.layers[1].out_features == 5  # type: ignore[union-attr]


def test_training_goes_on_from_an_exported_file(exported: Path) -> None:
    weights = str(exported / "model.safetensors")
    frozen = ["--model.optimizer.lr", "0", "--model.activation", "tanh"]
    assert main(["fit", LENET, *QUICK, "--model.weights", weights, *frozen]) == 0
    begun = torch.load(newest_run(LENET) / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, begun[name]) for name, value in load_file(weights).items())
