"""SWA: the mean of the last epochs' weights, with statistics of batch normalization of its own."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from callbacks.compiled import Compiled
from callbacks.stochastic_weight_averaging import SWA, keeps_statistics, mean_of_all_calls
from common.messages import UserError
from lit_models.cnn.batch_norm import BatchNorm
from lit_models.gan.dcgan import LitDCGAN
from tests.small import Points, SmallNet, small_trainer


class Ends(Callback):
    """The weights after each epoch's last step, and those that each validation had."""

    def __init__(self) -> None:
        self.ends: list[torch.Tensor] = []
        self.validated: list[torch.Tensor] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        if batch_idx == 3:
            self.ends.append(pl_module.net[0].weight.detach().clone())

    def on_validation_batch_start(self, trainer, pl_module, *_) -> None:  # type: ignore[no-untyped-def]
        self.validated.append(pl_module.net[0].weight.detach().clone())


def test_validation_and_the_trained_model_have_the_mean_of_the_last_epochs(tmp_path: Path) -> None:
    model, ends = SmallNet(), Ends()
    small_trainer(tmp_path, ends, SWA(0.4), max_epochs=5).fit(model, Points())
    for epoch in range(5):
        mean = ends.ends[epoch] if epoch < 2 else torch.stack(ends.ends[1 : epoch + 1]).mean(0)
        torch.testing.assert_close(ends.validated[epoch], mean)
    assert torch.equal(model.net[0].weight, ends.validated[-1]) and not torch.equal(ends.ends[-1], ends.validated[-1])


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, BatchNorm], ids=["torch", "by hand"])
def test_the_statistics_are_those_of_the_mean_on_the_training_data_and_the_loader_keeps_its_place(
    norm: type[nn.Module], tmp_path: Path
) -> None:
    model, data = SmallNet(dropout=0.0, optimizer=partial(torch.optim.SGD, lr=0.5)), Points(noise=0.0)
    model.net.insert(1, norm(8))
    small_trainer(tmp_path, SWA(0.2), max_epochs=5).fit(model, data)
    hidden = model.net[0](data.splits["train"][0]).detach()
    torch.testing.assert_close(model.net[1].running_mean, hidden.mean(0))
    batches = hidden.split(12)
    assert model.net[1].momentum == 0.1 and float(model.net[1].running_var.mean()) < 1.3 * float(
        torch.stack([b.var(0) for b in batches]).mean() + hidden.var(0).mean()
    )


def test_statistics_are_those_of_layers_that_keep_them_and_all_calls_of_a_layer_have_the_same_weight() -> None:
    layers = (BatchNorm(2), nn.BatchNorm2d(2), nn.BatchNorm2d(2, track_running_stats=False), nn.LayerNorm(2))
    assert [keeps_statistics(layer) for layer in layers] == [True, True, False, False]
    norm, parts = BatchNorm(2), torch.randn(3, 4, 2)
    norm.register_forward_pre_hook(mean_of_all_calls())
    for part in parts:
        norm(part)
    torch.testing.assert_close(norm.running_mean, parts.mean((0, 1)))
    torch.testing.assert_close(norm.running_var, parts.var(1).mean(0))


def test_a_compiled_network_is_not_compiled_again_for_its_statistics(tmp_path: Path) -> None:
    def compilations(*callbacks: Callback) -> int:
        made: list[Any] = []

        def backend(graph: Any, inputs: Any) -> Any:
            made.append(graph)
            return graph.forward

        torch.compiler.reset()
        model = SmallNet(dropout=0.0)
        model.net.insert(1, BatchNorm(8))
        small_trainer(tmp_path, *callbacks, Compiled(backend), max_epochs=2).fit(model, Points())  # type: ignore[arg-type]
        return len(made)

    assert compilations(SWA(0.2)) == compilations() > 0


def test_a_start_outside_of_the_run_is_refused() -> None:
    with pytest.raises(UserError, match=r"start is 1\.0"):
        SWA(1.0)


def test_the_last_checkpoints_are_averaged(tmp_path: Path) -> None:
    model, ends = SmallNet(), Ends()
    small_trainer(tmp_path, ends, SWA(last=3), max_epochs=5).fit(model, Points())
    torch.testing.assert_close(model.net[0].weight, torch.stack(ends.ends[-3:]).mean(0))
    torch.testing.assert_close(ends.validated[1], ends.ends[1])  # before, the weights themselves
    with pytest.raises(UserError, match="last is 6, but the run has 5 epochs"):
        small_trainer(tmp_path, SWA(last=6), max_epochs=5).fit(SmallNet(), Points())
    with pytest.raises(UserError, match="last is -1"):
        SWA(last=-1)


def test_both_networks_of_an_adversarial_model_see_the_data(tmp_path: Path) -> None:
    model = LitDCGAN(in_channels=1, image_size=16, latent_size=4, width=2, ema_half_life=100)
    rows = torch.rand(24, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    loader: Any = DataLoader(TensorDataset(rows), batch_size=8)
    small_trainer(tmp_path, SWA(0.2), max_epochs=3).fit(model, loader, loader)
    counts = [
        {int(norm.num_batches_tracked) for norm in net.modules() if keeps_statistics(norm)}
        for net in (model.net.generator, model.net.discriminator)
    ]
    assert counts == [{3}, {6}]  # noise; real samples and generated ones
