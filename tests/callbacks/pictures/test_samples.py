"""Generated samples beside the data: points and pictures."""

import torch

from callbacks.pictures.samples import Samples, draw_samples, sheet


def test_points_have_two_panels_with_the_same_axes() -> None:
    figure = draw_samples(torch.randn(30, 2), 5 * torch.randn(30, 2), 10)
    first, second = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["data", "generated"] and first.get_xlim() == second.get_xlim()


def test_pictures_are_side_by_side() -> None:
    pictures = torch.arange(3.0)[:, None, None, None].expand(3, 1, 2, 2) / 4
    joined = sheet(pictures, 2)
    assert joined.shape == (4, 4)
    assert joined[0].tolist() == [0, 0, 0.25, 0.25] and joined[3].tolist() == [0.5, 0.5, 0, 0]
    assert sheet(torch.rand(4, 3, 2, 2), 2).shape == (4, 4, 3)
    assert len(draw_samples(torch.rand(5, 1, 4, 4), torch.rand(5, 1, 4, 4), 2).axes) == 2


def test_only_models_that_generate_are_drawn() -> None:
    picture = Samples()
    assert picture.collect(None, None, (torch.zeros(2, 2),)) is None  # type: ignore[arg-type]
    rows = picture.collect(None, {"samples": torch.ones(3, 2)}, (torch.zeros(2, 2),))  # type: ignore[arg-type]
    assert rows is not None and len(rows["data"]) == len(rows["generated"]) == 2
