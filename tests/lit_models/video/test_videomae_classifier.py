"""VideoMAE's encoder as a classifier: the battery, and what it takes of a VideoMAE's run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.video.videomae import LitVideoMAE
from lit_models.video.videomae_classifier import LitVideoMAEClassifier
from tests.battery import ADAM, ClassifierBattery
from tests.small import small_trainer

SIZES: dict[str, Any] = {"in_channels": 1, "num_frames": 4, "image_size": 8, "patch_size": 4, "tubelet_size": 2}
ENCODER: dict[str, Any] = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "ffn_size": 12}
DECODER = {"decoder_size": 4, "decoder_layers": 1, "decoder_heads": 1, "decoder_ffn_size": 4}


class TestLitVideoMAEClassifier(ClassifierBattery):
    num_classes = 3
    parameters = 264 + 280 + 212 + 32 + 16 + 27  # patches, attention, dense layers, their two norms, norm, classes

    def model(self) -> LitVideoMAEClassifier:
        return LitVideoMAEClassifier(num_classes=3, optimizer=ADAM, **SIZES, **ENCODER)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.rand(6, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3


def test_the_encoder_of_a_run_without_labels_is_loaded_and_the_head_is_new(tmp_path: Path) -> None:
    masked = LitVideoMAE(optimizer=ADAM, mask_fraction=0.5, **SIZES, **ENCODER, **DECODER)
    x = torch.rand(8, 1, 4, 8, 8)
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(masked, DataLoader([(x, torch.zeros(8))], batch_size=None))  # type: ignore[arg-type]
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    settings: dict[str, Any] = {"num_classes": 3, "weights": str(tmp_path / "a.ckpt"), **SIZES}
    model: Any = LitVideoMAEClassifier(**settings, **ENCODER)
    before = model.net.classifier.weight.clone()
    model.take_weights()
    for name, value in model.net.videomae.state_dict().items():
        torch.testing.assert_close(value, masked.net.videomae.state_dict()[name])  # type: ignore[operator,union-attr]
    assert torch.equal(model.net.classifier.weight, before) and model.weights_from == "run"
    with pytest.raises(UserError, match="other shapes"):
        LitVideoMAEClassifier(**settings, **(ENCODER | {"hidden_size": 16})).take_weights()


def test_frozen_features_are_the_whole_encoder() -> None:
    model: Any = LitVideoMAEClassifier(num_classes=3, freeze_features=True, **SIZES, **ENCODER).train()
    learning = {name.rpartition(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {"net.fc_norm", "net.classifier"} and not model.net.videomae.training
