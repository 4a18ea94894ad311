"""Fine-tuning: the battery, rates by group, thawing, and where the features come from."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.messages import UserError
from datamodules.vision.shape_transfer import ShapeTransfer
from lit_models.cnn.vgg import VGG
from lit_models.vision.fine_tuning import LitFineTuning, stages
from tests.battery import ADAM, ClassifierBattery
from tests.small import small_trainer

SIZES: dict[str, Any] = {"num_classes": 2, "depth": 10, "width": 4, "stem": "small", "optimizer": ADAM}


def model(**arguments: Any) -> LitFineTuning:
    torch.manual_seed(0)
    return LitFineTuning(**(SIZES | arguments))


def batches(count: int = 2) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(1)
    rows = [(torch.rand(4, 3, 16, 16, generator=generator), torch.tensor([0, 1, 0, 1])) for _ in range(count)]
    return DataLoader(rows, batch_size=None)  # type: ignore[arg-type]


class TestLitFineTuning(ClassifierBattery):
    parameters = 19_638
    overfit_steps = 40

    def model(self) -> LitFineTuning:
        return model(feature_rate=0.5)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 3, 16, 16), torch.arange(8) % 2


def test_the_head_has_the_full_rate_and_the_features_a_fraction() -> None:
    net = model(feature_rate=0.1, decay_biases=False)
    groups = net.parameter_groups()
    head = {id(p) for p in net.net.fc.parameters()}  # type: ignore[union-attr]
    for group in groups:
        assert {id(p) in head for p in group["params"]} == {group["lr"] == 1e-2}
        assert group["lr"] in (1e-2, pytest.approx(1e-3))
        assert all(p.ndim < 2 for p in group["params"]) == (group.get("weight_decay") == 0)
    assert sum(len(group["params"]) for group in groups) == len(list(net.parameters()))
    assert "lr" not in model().parameter_groups()[0]


def test_stages_thaw_from_the_head_down_and_frozen_ones_stay_as_they_were(tmp_path: Path) -> None:
    net = model(thaw_epochs=1)
    names = ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"]
    found = stages(net.net)
    assert found == [net.net.get_submodule(name) for name in names]
    changed: list[set[str]] = []

    class Changes(Callback):
        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            self.before = {key: value.clone() for key, value in pl_module.net.state_dict().items()}

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            now = pl_module.net.state_dict()
            changed.append({key.split(".")[0] for key in now if not torch.equal(now[key], self.before[key])})

    trainer = small_trainer(tmp_path, Changes(), max_epochs=7)
    trainer.fit(net, batches(), batches(1))  # validation puts everything into evaluation and back
    assert changed == [{"fc", *names[len(names) - k :]} for k in range(7)]


def test_frozen_normalization_stays_in_evaluation_whatever_asks_for_training() -> None:
    net = model(thaw_epochs=3).train()
    assert not any(m.training for m in net.net.modules() if isinstance(m, nn.BatchNorm2d))
    assert net.net.fc.training  # type: ignore[union-attr]
    everything = model().train()
    assert all(m.training for m in everything.net.modules())


def test_a_run_that_goes_on_within_an_epoch_keeps_frozen_stages_in_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning then skips ``on_train_epoch_start``."""
    monkeypatch.setattr(LitFineTuning, "on_train_epoch_start", lambda self: None)
    net = model(thaw_epochs=1)
    before = net.net.layer1[0].bn1.running_mean.clone()  # type: ignore[union-attr,index]
    small_trainer(tmp_path, max_epochs=1).fit(net, batches())
    assert torch.equal(net.net.layer1[0].bn1.running_mean, before)  # type: ignore[union-attr,index]


def test_stages_of_a_network_with_one_container_are_its_layers() -> None:
    net = VGG(num_classes=2, image_size=32, width=2, pool_size=1, hidden_size=4)
    assert len(stages(net)) == 8  # convolutions of VGG-11


def test_features_come_from_the_source_and_the_head_does_not(tmp_path: Path) -> None:
    data = ShapeTransfer(per_class=2, val_size=4, test_size=4, source_size=64, batch_size=4)
    net = model(pretrain_epochs=1, optimizer=partial(torch.optim.SGD, lr=0.0))
    head, first = net.net.fc.weight.clone(), net.net.conv1.weight.clone()  # type: ignore[union-attr]
    small_trainer(tmp_path, max_epochs=1).fit(net, datamodule=data)
    assert torch.equal(net.net.fc.weight, head) and not torch.equal(net.net.conv1.weight, first)  # type: ignore[union-attr]
    again = model(pretrain_epochs=1, optimizer=partial(torch.optim.SGD, lr=0.0))
    torch.manual_seed(5)
    small_trainer(tmp_path, max_epochs=1).fit(again, datamodule=data)
    assert torch.equal(net.net.conv1.weight, again.net.conv1.weight)  # type: ignore[union-attr]


def test_weights_of_a_file_take_the_place_of_the_source(tmp_path: Path) -> None:
    saved = model(num_classes=5)
    torch.save(saved.net.state_dict(), tmp_path / "five.pth")
    net = LitFineTuning(
        **(SIZES | {"pretrain_epochs": 1, "weights": str(tmp_path / "five.pth"), "weights_from": "run"})
    )
    net.take_weights()
    assert torch.equal(net.net.layer1[0].conv1.weight, saved.net.layer1[0].conv1.weight)  # type: ignore[union-attr,index]


def test_errors_name_the_argument(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model.freeze_features keeps frozen what model.thaw_epochs thaws"):
        model(thaw_epochs=1, freeze_features=True)
    with pytest.raises(UserError, match=r"model.pretrain_epochs: this data has no other classes"):
        small_trainer(tmp_path, max_epochs=1).fit(model(pretrain_epochs=1), batches())
