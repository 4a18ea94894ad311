"""Diffusion of latents: the frozen first stage, the measured factor, what is decoded."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from common.messages import UserError
from datamodules.vision.mnist import MNIST5k
from lit_models.diffusion.autoencoder import LitAutoencoder
from lit_models.diffusion.latent import DIGITS, LitLatent
from tests.battery import ADAM

SIZES: dict[str, Any] = {"autoencoder_widths": (4, 4), "latent_channels": 2, "image_size": 8}


def model(**settings: Any) -> LitLatent:
    torch.manual_seed(0)
    network: dict[str, Any] = {"patch_size": 1, "hidden_size": 8, "num_layers": 1, "num_heads": 1, "num_classes": 10}
    sampling: dict[str, Any] = {"num_timesteps": 10, "prediction": "v", "steps": 2, "sampler": "ddim"}
    return LitLatent(**(SIZES | network | sampling | {"optimizer": ADAM} | settings))


def trainer(folder: Path) -> Trainer:
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(accelerator="cpu", max_steps=2, default_root_dir=folder, enable_checkpointing=False, **quiet)


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an autoencoder, as its run has one."""
    folder = tmp_path_factory.mktemp("first")
    batches: Any = DataLoader([(torch.rand(4, 1, 8, 8), torch.arange(4))], batch_size=None)
    run = trainer(folder)
    run.fit(LitAutoencoder(optimizer=ADAM, **SIZES), batches)
    run.save_checkpoint(folder / "best.ckpt")
    return folder / "best.ckpt"


def test_the_first_stage_is_read_frozen_measured_and_kept(tmp_path: Path, first_stage: Path) -> None:
    net, x = model(first_stage=str(first_stage), class_dropout=0.0), torch.rand(16, 1, 8, 8)
    run = trainer(tmp_path)
    run.fit(net, DataLoader([(x, torch.arange(16) % 10)] * 2, batch_size=None))  # type: ignore[arg-type]
    theirs = torch.load(first_stage, weights_only=True)["state_dict"]
    for name, value in net.first_stage.state_dict().items():
        assert torch.equal(value, theirs[f"net.{name}"])
    net.train()
    assert 0.8 < float(net.encode(x).std()) < 1.25  # the draw of the latents differs
    run.save_checkpoint(tmp_path / "a.ckpt")
    again = LitLatent.load_from_checkpoint(tmp_path / "a.ckpt", first_stage="gone.ckpt", weights_only=True).eval()
    assert torch.equal(again.encode(x), net.eval().encode(x))
    run.validate(again, DataLoader([(x, torch.arange(16) % 10)], batch_size=None), verbose=False)  # type: ignore[arg-type]


def test_a_first_stage_of_other_sizes_is_refused(tmp_path: Path, first_stage: Path) -> None:
    net = model(first_stage=str(first_stage), latent_channels=3)
    with pytest.raises(UserError, match=r"model\.first_stage: .*--model\.latent_channels 2"):
        trainer(tmp_path).fit(net, DataLoader([(torch.rand(4, 1, 8, 8), torch.arange(4))], batch_size=None))  # type: ignore[arg-type]


def test_a_first_stage_that_is_not_there_is_named_with_what_it_may_be(tmp_path: Path) -> None:
    net = model(first_stage=str(tmp_path / "gone"))
    with pytest.raises(
        UserError, match=r"model\.first_stage: there is no .*gone: give the folder of a run of diffusion/"
    ):
        trainer(tmp_path).fit(net, DataLoader([(torch.rand(4, 1, 8, 8), torch.arange(4))], batch_size=None))  # type: ignore[arg-type]


def test_decoding_undoes_the_factor() -> None:
    net, x = model().eval(), torch.rand(3, 1, 8, 8)
    plain = net.decode(net.encode(x))
    net.scale.fill_(3.0)
    assert net.encode(x).shape == (3, 2, 4, 4)
    torch.testing.assert_close(net.decode(net.encode(x)), plain)
    torch.testing.assert_close(plain, ((net.first_stage(2 * x - 1) + 1) / 2).clamp(0, 1))


def test_samples_and_measures_are_pictures_and_not_latents() -> None:
    net, x, y = model().eval(), torch.rand(5, 1, 8, 8), torch.arange(5)
    with torch.inference_mode():
        samples = net.test_step((x, y), 0)["samples"]
        (sheet,) = net.generate(MNIST5k(image_size=8), [], class_=["3"], samples=2, steps=2, grid=True)
        assert float(net.quality(x, y, "ddim", 2)) > 0
    assert samples.shape == x.shape and sheet.image.size == (8 * 17, 8 * 8)
    assert net.predict_step(x, 0)["bound"].shape == (5,)


def test_only_pictures_that_are_used_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x, y, data = model(steps=4).eval(), torch.rand(5, 1, 8, 8), torch.arange(5), MNIST5k(image_size=8)
    calls: list[int] = []
    monkeypatch.setattr(net.first_stage, "decode", lambda z: calls.append(len(z)) or torch.zeros(len(z), 1, 8, 8))
    with torch.inference_mode():
        net.test_step((x, y), 0)
        net.quality(x, y, "ddim", 3)
        assert calls == [5, 5]
        for gif in (False, True):
            list(net.generate(data, [], class_=["3"], samples=2, steps=3, gif=gif))
    assert calls == [5, 5, 2, 2, 2, 2]


def test_kept_pixels_stay_and_a_latent_with_a_lost_pixel_is_made_anew() -> None:
    net, x = model().eval(), torch.rand(1, 1, 8, 8)
    keep = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    keep[..., 3, 3] = False
    with torch.inference_mode():
        *_, one = net.fill(x, keep, seed=1, repeats=1)
        *_, other = net.fill(x, keep, seed=2, repeats=1)
    assert torch.equal(one[keep], x[keep]) and float(one[0, 0, 3, 3]) != float(other[0, 0, 3, 3])


def test_the_stored_first_stage_reconstructs_digits(tmp_path: Path) -> None:
    net, data = LitLatent(patch_size=1), MNIST5k()
    data.setup("test")
    net._read_weights()
    x = data.splits["test"][0][:50] / 255
    with torch.no_grad():
        assert float((net.decode(net.encode(x)) - x).square().mean()) < 0.015 and DIGITS.stat().st_size < 300_000
