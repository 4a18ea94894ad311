"""The rollout is a distribution over the input's tokens, and its picture is written."""

from pathlib import Path

import torch
from torch.utils.data import DataLoader

from callbacks.pictures.attention_rollout import AttentionRollout, rollout
from lit_models.attention.vit import LitViT
from tests.small import small_trainer


def test_a_layer_that_looks_at_itself_passes_everything_on() -> None:
    eye = torch.eye(5).expand(2, 3, 5, 5)
    torch.testing.assert_close(rollout([eye, eye]), torch.eye(5).expand(2, 5, 5))


def test_flow_is_a_distribution_and_follows_the_weights_through_layers() -> None:
    torch.manual_seed(0)
    layers = [torch.rand(1, 2, 4, 4).softmax(-1) for _ in range(3)]
    torch.testing.assert_close(rollout(layers).sum(-1), torch.ones(1, 4))
    first = torch.zeros(1, 1, 3, 3)
    first[..., 1] = 1  # all tokens look at token 1, then all at token 2, which is half token 1 by now
    second = torch.zeros(1, 1, 3, 3)
    second[..., 2] = 1
    torch.testing.assert_close(rollout([first, second])[0, 0], torch.tensor([0.25, 0.5, 0.25]))


def test_is_written_after_a_test(tmp_path: Path) -> None:
    model = LitViT(image_size=8, patch_size=4, hidden_size=8, num_layers=1, num_heads=2, ffn_size=8)
    trainer = small_trainer(tmp_path, AttentionRollout(num_images=4))
    trainer.test(model, DataLoader([(torch.rand(6, 1, 8, 8), torch.arange(6))], batch_size=None), verbose=False)
    assert (tmp_path / "rollout.png").stat().st_size > 1000
