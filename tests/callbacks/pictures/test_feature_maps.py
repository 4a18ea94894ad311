"""feature_maps.png: the maps that are drawn are the network's."""

from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from callbacks.pictures import feature_maps as module
from callbacks.pictures.feature_maps import FeatureMaps, draw_maps
from lit_models.cnn.lenet import LitLeNet
from tests.small import Points, SmallNet, small_trainer


def pictures() -> tuple[LitLeNet, DataLoader]:
    return LitLeNet(activation="relu"), DataLoader([(torch.rand(4, 1, 28, 28), torch.arange(4))], batch_size=None)


def test_maps_are_those_of_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    monkeypatch.setattr(module, "draw_maps", lambda rows, n: seen.update(rows) or draw_maps(rows, n))
    model, loader = pictures()
    small_trainer(tmp_path, FeatureMaps(num_maps=4, sample=1)).test(model, loader, verbose=False)
    x = next(iter(loader))[0][1:2]
    assert list(seen) == ["input", "net.features.0", "net.features.3"]
    torch.testing.assert_close(seen["net.features.0"], model.net.features[0](x)[0])  # type: ignore[index]
    assert (tmp_path / "feature_maps.png").stat().st_size > 1000


def test_network_without_maps_draws_nothing(tmp_path: Path) -> None:
    small_trainer(tmp_path, FeatureMaps()).test(SmallNet(), datamodule=Points(), verbose=False)
    assert not list(tmp_path.glob("*.png"))
