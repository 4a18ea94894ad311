"""bfloat16 clips gradients of a fused optimizer as single precision does; half precision still refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision

from callbacks.unscaled_clipping import clip_unscaled
from tests.small import Points, SmallNet, small_trainer


class Fused(SmallNet):
    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1, fused=True)

    def on_before_zero_grad(self, optimizer: Any) -> None:
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        if gradients:
            self.norm = float(torch.stack([g.norm() for g in gradients]).norm())


def test_a_fused_optimizer_is_clipped_in_bfloat16(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"precision": "bf16-mixed", "gradient_clip_val": 1e-3, "max_epochs": 1}
    with pytest.raises(RuntimeError, match="gradient clipping"):
        small_trainer(tmp_path, **settings).fit(Fused(), datamodule=Points())
    trainer, model = small_trainer(tmp_path, **settings), Fused()
    clip_unscaled(trainer)
    trainer.fit(model, datamodule=Points())
    assert 0 < model.norm <= 1.001e-3


def test_a_scaler_still_refuses(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path)
    plugin = MixedPrecision("16-mixed", "cpu")
    trainer.strategy.precision_plugin = plugin
    clip_unscaled(trainer)
    with pytest.raises(RuntimeError, match="gradient clipping"):
        plugin.clip_gradients(torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1, fused=True), 1.0)
