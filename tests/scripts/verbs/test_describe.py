"""`dive describe`: sizes counted by hand, no data loaded."""

import os
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from datamodules.base import TensorDataModule
from scripts.cli import main
from scripts.front.runs import RUN_DIR, runs_root
from scripts.verbs import describe
from scripts.verbs.describe import measure


def test_lenet_as_counted_by_hand(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # layer      output         weights + biases                multiply-adds of one image
    # conv 1     6 x 28 x 28    6 * (1 * 25) + 6    =    156    28 * 28 * 6 * 25        = 117,600
    # conv 2     16 x 10 x 10   16 * (6 * 25) + 16  =  2,416    10 * 10 * 16 * 6 * 25   = 240,000
    # dense 1    120            400 * 120 + 120     = 48,120    400 * 120               =  48,000
    # dense 2    84             120 * 84 + 84       = 10,164    120 * 84                =  10,080
    # dense 3    10             84 * 10 + 10        =    850    84 * 10                 =     840
    #                                         sum   = 61,706                       sum  = 416,520
    monkeypatch.setattr(TensorDataModule, "setup", lambda *_: pytest.fail("describe loaded data"))
    assert main(["describe", "cnn/lenet"]) == 0
    out = capsys.readouterr().out
    by_name = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert by_name["net.features.0"][-2:] == ["156", "117,600"]
    assert by_name["net.features.3"][1:] == ["Conv2d", "1", "x", "16", "x", "10", "x", "10", "14", "2,416", "240,000"]
    assert by_name["net.head.1"][-2:] == ["48,120", "48,000"]
    assert by_name["net.head.3"][-2:] == ["10,164", "10,080"]
    assert by_name["net.head.5"][-2:] == ["850", "840"]
    assert by_name["in"][-2:] == ["61,706", "416,520"]
    assert "cnn/lenet: LeNet on 5,000 MNIST digits" in out and "D2L 7.6" in out and "test/acc >=" in out


def test_nothing_is_left_behind() -> None:
    argv, folder = sys.argv[:], runs_root()
    assert main(["describe", "cnn/lenet"]) == 0
    assert not folder.exists() and RUN_DIR not in os.environ and sys.argv == argv


def test_lightning_arguments_change_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "lenet", "--data.image_size", "20"]) == 0
    assert "1 x 144" in capsys.readouterr().out  # 16 maps of (20 / 2 - 4) / 2 = 3 pixels squared


OWN = """
from datamodules.base import TensorDataModule

class Own(TensorDataModule):
    def __init__(self, root: str, num_classes: int = 0, in_channels: int = 3, image_size: int = 32) -> None:
        super().__init__()

    @classmethod
    def infer(cls, root: str, num_classes: int) -> dict[str, int]:
        return {"num_classes": len(open(root).read().split())}
"""


def test_sizes_that_only_the_files_know_are_inferred_as_in_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("own_data.py").write_text(OWN)
    Path("names.txt").write_text("cat dog eel")
    assert main(["describe", "cnn/lenet", "--data.root", "names.txt", "--data", "own_data.Own"]) == 0
    assert "1 x 3 " in capsys.readouterr().out.splitlines()[-2]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["cnn/lenett"], "did you mean 'cnn/lenet'?"),
        (["cnn/lenet", "--model.poling", "max"], "did you mean 'model.pooling'?"),
        ([], "which recipe?"),
    ],
)
def test_mistakes_are_one_line(argv: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", *argv]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


class Twice(nn.Module):
    """A layer used twice, a matrix of its own beside a child, a layer never used."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(3, 3)
        self.own = nn.Parameter(torch.ones(3, 4))
        self.spare = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.shared(self.shared(x))
        return x, x @ self.own


def test_each_product_is_counted_once_in_the_layer_that_makes_it() -> None:
    layers, total = measure(Twice(), (torch.zeros(1, 3),))
    counted = {layer.name: (layer.parameters, layer.multiply_adds, layer.output) for layer in layers}
    assert counted["shared"] == (12, 2 * 9, "1 x 3")
    assert counted["(itself)"] == (12, 12, "1 x 3, 1 x 4")
    assert counted["spare"] == (6, 0, "-")
    assert total == sum(layer.multiply_adds for layer in layers) == 30


def test_attention_is_counted_in_evaluation_too() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.zeros(1, 5, 8)
    _, total = measure(attention, (x, x, x))
    assert total == 5 * 8 * 24 + 2 * 5 * 5 * 8 + 5 * 8 * 8  # in-projection, scores and values, out-projection


def test_measuring_leaves_the_model_as_it_was() -> None:
    model = Twice().train()
    measure(model, (torch.zeros(1, 3),))
    assert model.training and not model._forward_hooks and not model.shared._forward_hooks


def test_a_model_without_example_input_has_parameters_only() -> None:
    layers, total = measure(Twice(), None)
    assert total is None and sum(layer.parameters for layer in layers) == 30
    assert "multiply-adds" in describe.table(layers, 30, None)[0]
