"""The way of a point: every step is recorded and saved; picture and GIF are written, of one and of two dimensions."""

from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

from callbacks.pictures.trajectory import Trajectory
from datamodules.synthetic.gradient_noise import GradientNoise
from lit_models.optimization.descend import LitDescend
from tests.small import small_trainer


@pytest.mark.parametrize(("surface", "start"), [("waves", [0.5]), ("himmelblau", [0.0, 0.0])])
def test_the_way_is_recorded_and_drawn(surface: str, start: list[float], tmp_path: Path) -> None:
    model = LitDescend(
        num_features=len(start), surface=surface, start=start, optimizer=partial(torch.optim.SGD, lr=0.01)
    )
    way = Trajectory()
    data = GradientNoise(num_features=len(start), num_train=3)
    small_trainer(tmp_path, way, max_epochs=1).fit(model, datamodule=data)
    assert len(way.path) == 4 and way.path[0] == pytest.approx(start)
    assert way.path[-1] == pytest.approx(model.position().tolist())
    assert (tmp_path / "trajectory.png").stat().st_size > 5000
    with Image.open(tmp_path / "trajectory.gif") as film:
        assert film.n_frames == 4  # type: ignore[attr-defined]
    again = Trajectory()
    again.load_state_dict(way.state_dict())
    assert again.path == way.path
