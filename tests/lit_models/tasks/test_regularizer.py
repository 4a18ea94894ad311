"""Regularizers of a classifier: each preset with each other, their order, and the data and models that they refuse."""

import importlib
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from lit_models.cnn.batch_norm import LitBatchNormLeNet
from lit_models.cnn.googlenet import LitGoogLeNet
from lit_models.cnn.lenet import LitLeNet
from lit_models.regularization.mixing import CutMix, Mixup
from lit_models.regularization.noise import LabelNoise
from lit_models.regularization.penalties import WeightPenalty
from lit_models.tasks.regularizer import Regularizer, in_order
from scripts.front.recipes import CONFIGS
from tests.small import Points, SmallNet, small_trainer

#: All but the mean of the last checkpoints: it needs several epochs and is an SWA, of which a run has one. Its test is
#: tests/callbacks/test_stochastic_weight_averaging.py.
PRESETS = sorted(p for p in (CONFIGS / "regularizer").glob("*.yaml") if p.stem != "last_checkpoints")
X, Y = torch.rand(4, 1, 16, 16), torch.tensor([3, 1, 4, 1])


def made(entry: dict[str, Any]) -> Any:
    module, _, name = entry["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**entry.get("init_args", {}))


def parts(preset: Path) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """The regularizers, the callbacks and the other arguments of the model that a preset brings.

    Callbacks that choose rows need a datamodule, which there is none of here: tests/callbacks/test_split_rows.py.
    """
    content = yaml.safe_load(preset.read_text())
    model = dict(content.get("model", {}).get("init_args", {}))
    entries = content.get("trainer", {}).get("callbacks+", [])
    callbacks = [made(entry) for entry in entries if not entry["class_path"].startswith("callbacks.split_rows.")]
    model.pop("regularizers", None)  # of `none`, which takes away
    return [made(entry) for entry in model.pop("regularizers+", [])], callbacks, model


@pytest.fixture(scope="module")
def loader() -> Any:
    return torch.utils.data.DataLoader([(X, Y)], batch_size=None)  # type: ignore[arg-type]


def is_callback(preset: Path) -> bool:
    return "callbacks+" in preset.read_text()


QUICK = ("drop_connect", "max_norm", "swa")
CALLBACKS = [
    pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem not in QUICK)) for p in PRESETS if is_callback(p)
]


@pytest.mark.parametrize("first", CALLBACKS)
def test_a_callback_trains_with_each_other_preset(first: Path, loader: Any, tmp_path: Path) -> None:
    """One batch: the loss is finite, the weights change, and no hook, noise or mode is left."""
    for second in [p for p in PRESETS if p != first and (p.stem not in QUICK or p.stem > first.stem)]:
        (own, callbacks, arguments), others = parts(first), parts(second)
        model = LitBatchNormLeNet(image_size=16, regularizers=own + others[0], **arguments | others[2])
        weight = next(model.net.parameters())
        before = weight.detach().clone()
        trainer = small_trainer(tmp_path, *callbacks, *others[1], max_epochs=1)
        trainer.fit(model, loader, loader)
        assert bool(torch.isfinite(trainer.callback_metrics["train/loss"])), second.stem
        assert bool(torch.isfinite(weight).all()) and not torch.equal(before, weight), second.stem
        assert not any(module._forward_pre_hooks for module in model.modules())


def test_each_regularizer_trains_with_each_other_in_one_order() -> None:
    """Whichever word is first, the order is the same; the loss and every gradient are finite."""
    for one, other in combinations([p for p in PRESETS if parts(p)[0]], 2):
        pair = [*parts(one)[0], *parts(other)[0]]
        model = LitLeNet(image_size=16, regularizers=pair)
        model.record_train_loss = lambda loss, count: None  # type: ignore[method-assign]
        assert model.regularizers == in_order(pair)
        assert in_order(pair[::-1]) == model.regularizers, (one.stem, other.stem)
        loss = model.training_step((X, Y), 0)
        assert bool(torch.isfinite(loss)), (one.stem, other.stem)
        for gradient in torch.autograd.grad(loss, list(model.parameters())):
            assert bool(torch.isfinite(gradient).all()) and bool(gradient.any()), (one.stem, other.stem)
        assert not any(module._forward_pre_hooks for module in model.modules())


def test_the_loss_is_that_of_the_changed_batch_and_the_penalties() -> None:
    class Blank(Regularizer):
        def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return torch.zeros_like(x), torch.zeros_like(y)

    recorded: list[float] = []
    model = SmallNet(dropout=0.0, label_smoothing=0.2, regularizers=[WeightPenalty(l2=1.0), Blank()])
    model.record_train_loss = lambda loss, count: recorded.append(float(loss))  # type: ignore[method-assign]
    x, y = torch.randn(6, 2), torch.arange(6) % 3
    loss = model.training_step((x, y), 0)
    error = F.cross_entropy(model(torch.zeros(6, 2)), torch.zeros(6, dtype=torch.long), label_smoothing=0.2)
    norm = sum(p.square().sum() for p in model.parameters() if p.ndim > 1)
    torch.testing.assert_close(loss, error + 0.5 * norm)
    assert recorded == [pytest.approx(float(error))]


def test_without_regularizers_a_step_is_what_it_was(tmp_path: Path) -> None:
    def weights(regularizers: list[Regularizer] | None) -> Tensor:
        torch.manual_seed(0)
        model = SmallNet(regularizers=regularizers)
        small_trainer(tmp_path).fit(model, Points())
        return model.net[0].weight

    torch.testing.assert_close(weights(None), weights([LabelNoise(0.0)][:0]), rtol=0, atol=0)
    torch.testing.assert_close(weights(None), weights([WeightPenalty()]))


def test_tables_and_tokens_are_refused_by_what_needs_images() -> None:
    model = SmallNet(regularizers=[CutMix()])
    with pytest.raises(UserError, match=r"CutMix needs images \(B, C, H, W\); a batch here is \(6, 2\)"):
        model.training_step((torch.randn(6, 2), torch.arange(6) % 3), 0)
    model.regularizers = [Mixup()]
    with pytest.raises(UserError, match="Mixup needs inputs that are real numbers"):
        model.training_step((torch.ones(6, 2, dtype=torch.long), torch.arange(6) % 3), 0)


def test_a_training_step_of_its_own_takes_no_regularizers() -> None:
    with pytest.raises(UserError, match="LitGoogLeNet has a training step of its own, which takes no regularizers"):
        LitGoogLeNet(regularizers=[CutMix()])


def test_a_checkpoint_loads_without_its_regularizers(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(SmallNet(regularizers=[Mixup()]), Points())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert SmallNet.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True).regularizers == []
