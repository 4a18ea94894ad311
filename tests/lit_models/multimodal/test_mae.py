"""Masked autoencoder: what the encoder sees, where predictions belong, the probe, weights for a vision transformer."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from datamodules.vision.mnist import MNIST5k
from lit_models.attention.vit import LitViT
from lit_models.multimodal.mae import MAE, LitMAE, masked_loss, masks
from tests.battery import ADAM
from tests.small import small_trainer

ENCODER: dict[str, Any] = {"image_size": 8, "patch_size": 2, "hidden_size": 8, "num_layers": 1, "num_heads": 2}
SMALL: dict[str, Any] = {**ENCODER, "ffn_size": 8, "decoder_size": 8, "decoder_heads": 2}


def hidden(count: int = 2) -> torch.Tensor:
    return masks(count, 16, 0.75, torch.Generator().manual_seed(1))


def test_the_same_number_of_patches_is_hidden_in_each_image_and_never_all_or_none() -> None:
    generator = torch.Generator().manual_seed(0)
    found = masks(50, 16, 0.75, generator)
    assert found.sum(1).tolist() == [12] * 50 and len({tuple(row) for row in found.tolist()}) > 40
    assert masks(1, 16, 0.999, generator).sum() == 15 and masks(1, 16, 0.0, generator).sum() >= 0


def test_pixels_and_pictures_are_inverse() -> None:
    net, x = MAE(3, **SMALL), torch.rand(2, 3, 8, 8)
    pixels = net.pixels(x)
    assert pixels.shape == (2, 16, 12)
    torch.testing.assert_close(net.pictures(pixels, 3), x)
    torch.testing.assert_close(pixels[0, 5, :3], x[0, :, 2, 2])  # second row and column of patches, channels last


def test_hidden_pixels_do_not_reach_the_prediction_and_visible_ones_do() -> None:
    torch.manual_seed(0)
    net, mask, x = MAE(**SMALL).eval(), hidden(), torch.rand(2, 1, 8, 8)
    places = net.pictures(mask[..., None].expand(-1, -1, 4).float(), 1).bool()
    other = torch.where(places, torch.rand_like(x), x)
    torch.testing.assert_close(net(other, mask), net(x, mask))
    assert not torch.allclose(net(torch.where(places, x, torch.rand_like(x)), mask), net(x, mask))
    assert net.encode(x, mask).shape == (2, 5, 8) and net.encode(x).shape == (2, 17, 8)


def test_the_loss_is_of_hidden_patches_only_and_of_normalized_pixels_if_asked_for() -> None:
    torch.manual_seed(0)
    pixels, mask = torch.rand(2, 16, 4), hidden()
    right = torch.where(mask[..., None], pixels, torch.zeros(()))
    assert float(masked_loss(right, pixels, mask)) == 0
    normed = (pixels - pixels.mean(2, keepdim=True)) / pixels.std(2, keepdim=True)
    assert float(masked_loss(normed, pixels, mask, norm_pixels=True)) < 1e-6


def test_training_lowers_the_loss_and_a_frozen_encoder_stays(tmp_path: Path) -> None:
    x = torch.rand(8, 1, 1, 2).repeat(1, 1, 8, 4)
    batch = DataLoader([(x, torch.zeros(8))] * 15, batch_size=None)  # type: ignore[arg-type]
    for frozen in (False, True):
        torch.manual_seed(0)
        model = LitMAE(optimizer=ADAM, freeze_encoder=frozen, **SMALL)
        before = model.net.patches.weight.clone()
        first = float(model.eval().filled(x, 0)[0])
        small_trainer(tmp_path, max_epochs=3).fit(model, batch)
        assert float(model.eval().filled(x, 0)[0]) < 0.8 * first
        assert torch.equal(before, model.net.patches.weight) == frozen


def test_the_test_has_the_gain_and_a_vision_transformer_takes_the_weights(tmp_path: Path) -> None:
    data = MNIST5k(image_size=8, batch_size=64)
    net = MAE(**SMALL)
    assert torch.equal(net.classifier(4).patches.weight, net.patches.weight)
    assert not torch.equal(net.classifier(4, pretrained=False).patches.weight, net.patches.weight)
    model = LitMAE(optimizer=ADAM, draws=2, few=20, fine_steps=2, **SMALL)
    trainer = small_trainer(tmp_path)
    (found,) = trainer.test(model, data, verbose=False)
    assert found["test/gain"] == pytest.approx(found["test/acc_few"] - found["test/acc_scratch"], abs=1e-6)
    assert 0 <= found["test/acc_few"] <= 1 and found["test/gain_pm"] >= 0
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    vit = LitViT(ffn_size=8, weights=str(tmp_path / "a.ckpt"), **ENCODER)
    vit.take_weights()
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(vit.net.layers[0](x.view(2, 8, 8)), model.net.layers[0](x.view(2, 8, 8)))
    assert torch.equal(vit.net.class_token, model.net.class_token)
    with pytest.raises(ValueError, match="not a multiple"):
        MAE(image_size=9, patch_size=2)
