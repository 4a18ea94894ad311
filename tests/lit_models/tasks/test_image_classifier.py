"""Weights are read once, when a run begins that loads no checkpoint; images are then normalized as theirs were."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.layers.pretrained import normalize
from lit_models.tasks.image_classifier import ImageClassifier, views_of
from tests.battery import ClassifierBattery
from tests.small import small_trainer

ADAM = partial(torch.optim.Adam, lr=0.05)


class Net(nn.Module):
    HEADS = ("fc",)

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).mean((2, 3)))


class LitNet(ImageClassifier):
    def __init__(self, num_classes: int = 3, weights: str = "", **task: Any) -> None:
        super().__init__(num_classes=num_classes, weights=weights, **task)
        self.net = Net(num_classes)


class TestLitNet(ClassifierBattery):
    parameters = 3 * 4 * 9 + 4 + 4 * 3 + 3

    def model(self) -> LitNet:
        return LitNet(optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(3, 3, 8, 8), torch.arange(3)


def batches() -> Any:
    return torch.utils.data.DataLoader([TestLitNet().batch()], batch_size=None)


def test_weights_are_read_at_the_start_of_a_fit_and_their_head_is_left(tmp_path: Path) -> None:
    theirs = Net(10)
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    model = LitNet(weights=str(tmp_path / "w.pth"), optimizer=partial(torch.optim.SGD, lr=0.0))
    head = model.net.fc.weight.detach().clone()
    small_trainer(tmp_path, max_epochs=1).fit(model, batches())
    assert torch.equal(model.net.conv.weight, theirs.conv.weight) and torch.equal(model.net.fc.weight, head)


def test_a_checkpoint_needs_no_file_of_weights(tmp_path: Path) -> None:
    torch.save(Net(10).state_dict(), tmp_path / "w.pth")
    model = LitNet(weights=str(tmp_path / "w.pth"), optimizer=ADAM)
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, batches())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    (tmp_path / "w.pth").unlink()
    again = LitNet(weights=str(tmp_path / "w.pth"), optimizer=ADAM)
    small_trainer(tmp_path, max_epochs=2).fit(again, batches(), ckpt_path=tmp_path / "a.ckpt")
    assert not torch.equal(again.net.conv.weight, model.net.conv.weight), "the second epoch was not trained"
    with pytest.raises(UserError, match=r"no file .*w\.pth"):
        small_trainer(tmp_path, max_epochs=1).fit(LitNet(weights=str(tmp_path / "w.pth"), optimizer=ADAM), batches())


def test_images_are_normalized_for_weights_alone() -> None:
    plain, published = LitNet(), LitNet(weights="file.pth")
    published.net.load_state_dict(plain.net.state_dict())
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(published(x), plain(normalize(x)))
    assert not torch.allclose(published(x), plain(x))


class Normalized(nn.Module):
    """Two features with what training changes beside parameters, and a head with dropout."""

    HEADS = ("drop", "fc")

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.noise = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.drop(self.noise(self.norm(self.conv(x))).mean((2, 3))))


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_features_are_the_same_function_after_training(tmp_path: Path, frozen: bool) -> None:
    """Their running statistics stay too, and nothing of them is dropped."""
    model = ImageClassifier(num_classes=3, net=Normalized(), freeze_features=frozen, optimizer=ADAM)
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    small_trainer(tmp_path, max_epochs=2).fit(model, batches(), batches())  # validation in between
    changed = {
        name.partition(".")[0] for name, value in model.net.state_dict().items() if not value.equal(before[name])
    }
    assert changed == ({"fc"} if frozen else {"conv", "norm", "fc"})
    model.train()
    net: Any = model.net
    assert net.drop.training and [net.norm.training, net.noise.training] == [not frozen] * 2
    model.eval()
    assert not net.drop.training and not net.norm.training


def test_images_of_a_run_go_on_as_they_were(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(LitNet(optimizer=ADAM), batches())
    trainer.save_checkpoint(tmp_path / "own.ckpt")
    model = LitNet(num_classes=5, weights=str(tmp_path / "own.ckpt"))
    x = torch.rand(2, 3, 8, 8)
    assert model.weights_from == model.hparams["weights_from"] == "run"
    assert torch.equal(model(x), model.net(x))
    (tmp_path / "own.ckpt").unlink()
    again = LitNet(weights=str(tmp_path / "own.ckpt"), weights_from="run")
    assert torch.equal(again(x), again.net(x))


def test_weights_of_a_run_keep_their_head_out(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, max_epochs=1)
    theirs = LitNet(optimizer=ADAM)
    trainer.fit(theirs, batches())
    trainer.save_checkpoint(tmp_path / "own.ckpt")
    model = LitNet(num_classes=5, weights=str(tmp_path / "own.ckpt"), optimizer=partial(torch.optim.SGD, lr=0.0))
    small_trainer(tmp_path, max_epochs=1).fit(model, batches())
    assert torch.equal(model.net.conv.weight, theirs.net.conv.weight) and len(model.net.fc.weight) == 5


def test_the_probabilities_of_views_are_averaged_in_tests_and_predictions(tmp_path: Path) -> None:
    model, (x, y) = LitNet(views=2).eval(), TestLitNet().batch()
    torch.nn.init.normal_(model.net.conv.weight)
    both = (model(x).softmax(1) + model(x.flip(-1)).softmax(1)) / 2
    torch.testing.assert_close(model.predict_step((x, y), 0)["probabilities"], both)
    loader: Any = torch.utils.data.DataLoader([(x, y)], batch_size=None)  # type: ignore[arg-type]
    (found,) = small_trainer(tmp_path).test(model, loader, verbose=False)
    assert found["test/loss"] == pytest.approx(float(-both[torch.arange(3), y].log().mean()), rel=1e-5)
    views = views_of(x, 10)
    assert len(views) == 10 and torch.equal(views[0], x) and torch.equal(views[1], x.flip(-1))
    assert torch.equal(views[2][..., 1:, 1:], x[..., :-1, :-1])  # moved by an eighth of 8 pixels
    with pytest.raises(UserError, match=r"model.views is 3: give 1, 2"):
        LitNet(views=3)


def test_a_network_without_a_head_of_its_own_cannot_be_frozen() -> None:
    whole = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    with pytest.raises(UserError, match=r"model\.freeze_features leaves nothing of Sequential to train"):
        ImageClassifier(num_classes=3, net=whole, freeze_features=True)


def test_a_network_without_layers_before_its_head_cannot_be_frozen() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 3)

    with pytest.raises(UserError, match=r"model\.freeze_features finds nothing of Head to freeze"):
        ImageClassifier(num_classes=3, net=Head(), freeze_features=True)


def test_parameters_of_the_network_itself_are_frozen_too_except_its_head() -> None:
    class Offset(nn.Module):
        HEADS = ("scale",)

        def __init__(self) -> None:
            super().__init__()
            self.offset, self.scale = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.ones(3))

    model = ImageClassifier(num_classes=3, net=Offset(), freeze_features=True)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["net.scale"]
