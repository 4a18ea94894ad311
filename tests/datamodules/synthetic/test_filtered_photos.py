"""Photographs and a filter's outputs: the outputs are the filter's, and the splits do not overlap."""

import pytest
import torch
from scipy.signal import correlate2d

from common.messages import UserError
from datamodules.synthetic.filtered_photos import FILTERS, FilteredPhotos


def ready(**arguments: object) -> FilteredPhotos:
    data = FilteredPhotos(num_train=30, num_eval=20, **arguments)  # type: ignore[arg-type]
    data.setup("fit")
    data.setup("test")
    return data


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_outputs_are_the_filters(name: str) -> None:
    x, y = ready(filter=name, noise=0.0).splits["train"]
    theirs = correlate2d(x[0, 0].numpy(), FILTERS[name], mode="valid")
    torch.testing.assert_close(y[0].view(22, 22), torch.from_numpy(theirs).float(), atol=1e-5, rtol=1e-5)


def test_noise_has_the_stated_size() -> None:
    quiet, loud = ready(noise=0.0), ready(noise=0.2)
    assert torch.equal(quiet.splits["train"][0], loud.splits["train"][0])
    residual = loud.splits["train"][1] - torch.nn.functional.conv2d(loud.splits["train"][0], loud.kernel).flatten(1)
    assert residual.std() == pytest.approx(0.2, rel=0.05)


def test_pieces_of_the_splits_do_not_overlap() -> None:
    data = ready(image_size=90)
    strips = {name: {row.numpy().tobytes() for row in x[:, 0, :, 0]} for name, (x, *_) in data.splits.items()}
    assert not strips["train"] & strips["test"] and not strips["train"] & strips["val"]


def test_bars_are_the_same_in_every_row() -> None:
    x, _ = ready(pictures="bars").splits["train"]
    assert torch.equal(x, x[:, :, :1].expand_as(x)) and set(x.unique().tolist()) == {0.0, 1.0}


def test_color_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.in_channels is 3"):
        FilteredPhotos(in_channels=3)
