"""Batch normalization by hand: the battery, torch's numbers, statistics over two processes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch import distributed as dist

from lit_models.cnn.batch_norm import BatchNorm, BatchNormLeNet, LitBatchNormLeNet
from tests.battery import ADAM, ClassifierBattery
from tests.warm import start, wait


class TestLitBatchNormLeNet(ClassifierBattery):
    parameters = 61_706 + 2 * (6 + 16 + 120 + 84)  # LeNet's, and two for each channel

    def model(self) -> LitBatchNormLeNet:
        return LitBatchNormLeNet(activation="relu", optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)

    def test_every_parameter_gets_a_gradient(self) -> None:
        model, (x, y) = self.model(), self.batch()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        silent = [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
        assert not silent


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5, 5), (3, 2, 7)])
def test_training_and_evaluation_are_torchs(shape: tuple[int, ...]) -> None:
    theirs = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)](shape[1])
    ours = BatchNorm(shape[1])
    for _ in range(3):
        x = torch.randn(shape) * 3 + 1
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_var, theirs.running_var)  # the unbiased one
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions_are_torchs_too(dtype: torch.dtype) -> None:
    """As under autocast: parameters and statistics stay in single precision, the output has the input's type."""
    ours, theirs = BatchNorm(6), nn.BatchNorm2d(6)
    if dtype == torch.float64:
        ours, theirs = ours.double(), theirs.double()
    x = (torch.randn(64, 6, 5, 5) * 3 + 100).to(dtype)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_running_statistics_are_saved_and_gradients_do_not_decide_the_mode() -> None:
    norm = BatchNorm(2)
    with torch.no_grad():
        norm(torch.randn(8, 2) + 5)
    assert norm.running_mean.abs().min() > 0.1 and "running_mean" in norm.state_dict()
    before = norm.eval().running_mean.clone()
    norm(torch.randn(8, 2, requires_grad=True))
    assert torch.equal(norm.running_mean, before)


def test_one_value_for_each_channel_is_refused_in_training() -> None:
    with pytest.raises(ValueError, match="more than one value for each channel"):
        BatchNorm(3)(torch.rand(1, 3))
    assert BatchNorm(3).eval()(torch.rand(1, 3)).shape == (1, 3)


def test_frozen_features_leave_the_last_layer() -> None:
    model = LitBatchNormLeNet(freeze_features=True)
    (learning,) = {name.rpartition(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert model.get_submodule(learning) is model.net.layers[-1]  # type: ignore[index,union-attr]


def test_without_normalization_it_is_lenet() -> None:
    assert not any(isinstance(m, BatchNorm) for m in BatchNormLeNet(normalize=False).modules())


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 12 pixels"):
        BatchNormLeNet(image_size=11)


def gradients_and_statistics(rank: int, world: int, folder: Path) -> None:
    """One backward pass on this rank's part of six samples; rank 0 writes gradients and running statistics."""
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    torch.manual_seed(0)
    x, target = (torch.randn(6, 3, 4, 4, dtype=torch.float64) for _ in range(2))
    x.requires_grad_(True)
    mine = slice(0, 6) if world == 1 else slice(0, 2) if rank == 0 else slice(2, 6)  # unequal, as a last batch may be
    norm = BatchNorm(3, sync=True).double()
    ((norm(x[mine]) - target[mine]) ** 3).sum().backward()
    gradients = [p.grad for p in (x, *norm.parameters()) if p.grad is not None]
    for gradient in gradients if world > 1 else ():
        dist.all_reduce(gradient)
    if rank == 0:
        torch.save([*gradients, norm.running_mean, norm.running_var], folder / f"world{world}.pt")


def test_two_processes_with_synchronized_statistics_equal_one(tmp_path: Path) -> None:
    two_processes = [start(gradients_and_statistics, rank, 2, tmp_path, log=tmp_path / "log") for rank in range(2)]
    one_process = start(gradients_and_statistics, 0, 1, tmp_path, log=tmp_path / "log")
    assert wait(*two_processes, one_process) == [0, 0, 0], (tmp_path / "log").read_text()
    one, two = (torch.load(tmp_path / f"world{world}.pt") for world in (1, 2))
    assert len(one) == 5
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-10)
