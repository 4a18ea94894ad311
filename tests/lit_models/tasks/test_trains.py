"""A leaf's arguments are its network's and its task's, each written once."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import flat_size, trains


class Net(nn.Module):
    """A linear classifier.

    Args:
        num_features: Numbers in a sample.
        num_classes: Number of logits.
        scale: What the logits are multiplied by.
    """

    PUBLISHED = {"scale": 4.0}

    def __init__(self, num_features: int = 784, num_classes: int = 5, scale: float = 1.0) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(num_features, num_classes), scale

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.linear(x.flatten(1))


@trains(Net, num_features=flat_size)
class LitNet(Classifier):
    """The linear classifier, trained.

    Args:
        extra: An argument of its own.
        **task: See ``Classifier``.
    """

    def __init__(self, extra: int = 1, **task: Any) -> None:
        super().__init__(**task)
        self.extra = extra


class OwnBuild(Classifier):
    def __init__(self, num_classes: int = 3, **task: Any) -> None:
        super().__init__(num_classes, **task)
        self.net = Net(4, num_classes)


def test_arguments_go_to_the_network_the_class_and_the_task() -> None:
    model = LitNet(image_size=4, num_classes=3, scale=2.0, extra=7, label_smoothing=0.1, lr_interval="step")
    assert model.net.linear.weight.shape == (3, 16) and model.net.scale == 2.0  # type: ignore[union-attr]
    assert (model.extra, model.label_smoothing, model.lr_interval) == (7, 0.1, "step")
    assert model.val_acc.num_classes == 3


def test_the_networks_default_holds_for_what_both_have() -> None:
    assert inspect.signature(LitNet).parameters["num_classes"].default == 5
    assert LitNet().val_acc.num_classes == 5


def test_the_signature_has_each_argument_once_with_its_type_and_nothing_else() -> None:
    parameters = inspect.signature(LitNet).parameters
    assert parameters["scale"].annotation is float and parameters["in_channels"].default == 1
    assert "task" not in parameters and all(p.kind is p.KEYWORD_ONLY for p in parameters.values())


def test_what_both_sides_say_of_an_argument_is_its_documentation() -> None:
    text = inspect.getdoc(LitNet.__init__) or ""
    assert "scale: What the logits are multiplied by." in text
    assert "extra: An argument of its own." in text and "label_smoothing:" in text


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'scala'"):
        LitNet(scala=1)


def test_hyperparameters_are_all_plain_arguments(tmp_path: Path) -> None:
    model = LitNet(image_size=4, scale=3.0)
    assert {"scale": 3.0, "image_size": 4, "extra": 1, "label_smoothing": 0.0}.items() <= dict(model.hparams).items()
    assert not {"net", "optimizer", "lr_scheduler"} & set(model.hparams)
    torch.save(dict(model.hparams), tmp_path / "hparams.pt")
    assert torch.load(tmp_path / "hparams.pt", weights_only=True)["scale"] == 3.0


def test_the_example_has_the_size_of_the_data() -> None:
    assert LitNet(image_size=4, in_channels=2).example_input.shape == (1, 2, 4, 4)  # type: ignore[union-attr]
    assert LitNet(num_features=6).example_input.shape == (1, 6)  # type: ignore[union-attr]


def test_another_network_takes_the_place_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    other = nn.Sequential(nn.Flatten(), nn.Linear(9, 5))
    model = LitNet(net=other, scale=2.0)
    assert model.net is other and "net" not in model.hparams
    assert capsys.readouterr().err == "note: net is Sequential: Net's own scale are not used\n"


def test_a_task_takes_any_network() -> None:
    other = nn.Linear(9, 2)
    assert Classifier(num_classes=2, net=other)(torch.zeros(4, 9)).shape == (4, 2)


def test_a_class_that_builds_its_network_itself_refuses_another() -> None:
    with pytest.raises(UserError, match="OwnBuild builds its own network"):
        OwnBuild(net=nn.Linear(4, 3))


def test_published_weights_bring_published_sizes() -> None:
    model = LitNet(scale=2.0, weights="file.pth")
    assert model.net.scale == 4.0 and model.hparams["scale"] == 4.0  # type: ignore[union-attr]


def test_weights_of_a_run_leave_the_sizes_as_they_are_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = LitNet(scale=3.0, image_size=4)
    content = {"pytorch-lightning_version": "2.6", "state_dict": theirs.state_dict()}
    torch.save(content | {"hyper_parameters": dict(theirs.hparams)}, tmp_path / "own.ckpt")
    model = LitNet(scale=2.0, image_size=4, weights=str(tmp_path / "own.ckpt"))
    assert model.net.scale == 2.0 and model.weights_from == "run"  # type: ignore[union-attr]
    model.take_weights()
    assert torch.equal(model.net.linear.weight, theirs.net.linear.weight)  # type: ignore[union-attr]
    assert "was trained with scale=3.0, this network has scale=2.0" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"other shapes: linear\.weight .*; the run's network had --model\.scale 3\.0"):
        LitNet(image_size=3, weights=str(tmp_path / "own.ckpt")).take_weights()


def test_what_a_class_requires_without_a_value_has_the_networks_value() -> None:
    class Required(Classifier):
        def __init__(self, num_classes: int, **task: Any) -> None:
            super().__init__(num_classes=num_classes, **task)

    made = trains(Net)(Required)
    default = inspect.signature(Net).parameters["num_classes"].default
    assert inspect.signature(made).parameters["num_classes"].default == default != inspect.Parameter.empty
