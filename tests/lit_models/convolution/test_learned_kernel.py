"""The learned kernel: the battery, the book's picture, and what bars cannot tell."""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.synthetic.filtered_photos import FilteredPhotos
from lit_models.convolution.learned_kernel import LearnedKernel, LitLearnedKernel
from tests.battery import ADAM, RegressorBattery
from tests.small import small_trainer

SOBEL = torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]]])


class TestLitLearnedKernel(RegressorBattery):
    parameters = 10
    overfit_steps = 400

    def model(self) -> LitLearnedKernel:
        return LitLearnedKernel(optimizer=partial(torch.optim.Adam, lr=3e-2))

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(1))
        return x, F.conv2d(x, SOBEL).flatten(1)

    def outputs(self, model: LitLearnedKernel, batch: tuple[Tensor, ...]) -> Tensor:
        return model(batch[0]).flatten(1)

    def test_output_is_one_row_for_each_sample(self) -> None:
        assert self.model()(self.batch()[0]).shape == (8, 1, 10, 10)


def test_books_picture_teaches_the_books_kernel() -> None:
    image = torch.ones(1, 1, 6, 8)
    image[..., 2:6] = 0
    target = F.conv2d(image, torch.tensor([[[[1.0, -1.0]]]]))
    weight = torch.nn.Parameter(torch.randn(1, 1, 1, 2))
    net = LearnedKernel()
    net.weight = weight
    for _ in range(30):
        weight.grad = None
        (net(image) - target).square().sum().backward()
        assert weight.grad is not None
        weight.data -= 3e-2 * weight.grad  # D2L 7.2.4's rate
    torch.testing.assert_close(weight.detach().flatten(), torch.tensor([1.0, -1.0]), atol=0.1, rtol=0)


@pytest.mark.parametrize(("pictures", "found"), [("photos", True), ("bars", False)])
def test_photographs_tell_the_kernel_and_bars_do_not(pictures: str, found: bool, tmp_path: object) -> None:
    data = FilteredPhotos(pictures=pictures, noise=0.0, num_train=200, num_eval=40, batch_size=200)  # type: ignore[arg-type]
    model = LitLearnedKernel(optimizer=partial(torch.optim.LBFGS, line_search_fn="strong_wolfe"))
    trainer = small_trainer(tmp_path, max_epochs=5)  # type: ignore[arg-type]
    trainer.fit(model, datamodule=data)
    metrics = trainer.test(model, datamodule=data, verbose=False)[0]
    assert metrics["test/rmse"] < 0.05
    assert (metrics["test/kernel_error"] < 0.2) == found


def test_error_is_the_largest_difference_from_the_data_kernel(tmp_path: object) -> None:
    model = LitLearnedKernel(optimizer=ADAM)
    weight = model.net.weight
    assert isinstance(weight, Tensor)
    weight.data = SOBEL + 0.25 * torch.eye(3)
    data = FilteredPhotos(num_eval=10)
    metrics = small_trainer(tmp_path).test(model, datamodule=data, verbose=False)[0]  # type: ignore[arg-type]
    assert metrics["test/kernel_error"] == pytest.approx(0.25)
