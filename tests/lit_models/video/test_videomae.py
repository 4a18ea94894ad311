"""VideoMAE: tubes, targets, a loss that falls, sizes that are not divisible."""

from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.video.video_classifier import IMAGENET, normalize
from lit_models.video.videomae import LitVideoMAE, VideoMAE
from lit_models.video.videomae_classifier import VideoMAEClassifier
from tests.battery import ADAM
from tests.small import small_trainer

SMALL = {"in_channels": 1, "num_frames": 4, "image_size": 8, "patch_size": 2, "hidden_size": 8, "num_layers": 1}
OTHER = {
    "num_heads": 2,
    "ffn_size": 8,
    "decoder_size": 4,
    "decoder_layers": 1,
    "decoder_heads": 1,
    "decoder_ffn_size": 4,
}


def small(**other: int) -> VideoMAE:
    return VideoMAE(**(SMALL | OTHER | other))  # type: ignore[arg-type]


def test_the_same_places_are_hidden_at_all_times() -> None:
    hidden = small().tubes(5, 0.9, torch.Generator().manual_seed(0)).view(5, 2, 16)
    assert torch.equal(hidden[:, 0], hidden[:, 1]) and hidden[:, 0].sum(1).tolist() == [14] * 5
    assert len({tuple(row) for row in hidden[:, 0].tolist()}) > 1


def test_targets_are_patches_in_the_order_of_the_embedding() -> None:
    """A clip whose patches have their own number in one corner."""
    net, x = small(), torch.zeros(1, 1, 4, 8, 8)
    for k in range(32):
        x[0, 0, 2 * (k // 16), 2 * (k % 16 // 4), 2 * (k % 4)] = k + 1
    projected = x.unfold(2, 2, 2).unfold(3, 2, 2).unfold(4, 2, 2).sum((5, 6, 7)).flatten()
    assert projected.tolist() == list(range(1, 33))  # as Conv3d flattens them
    patches = net.patches(x)
    assert patches.shape == (1, 32, 8) and bool((patches[0].argmax(1) == 0).all())
    torch.testing.assert_close(patches.mean(2), torch.zeros(1, 32), atol=1e-6, rtol=0)
    torch.testing.assert_close(patches.std(2), torch.ones(1, 32), atol=1e-4, rtol=0)


def test_hidden_pixels_do_not_reach_the_prediction() -> None:
    net = small().eval()
    hidden = net.tubes(2, 0.5, torch.Generator().manual_seed(1))
    x = torch.rand(2, 1, 4, 8, 8)
    mask = hidden.view(2, 1, 2, 4, 4).repeat_interleave(2, 2).repeat_interleave(2, 3).repeat_interleave(2, 4)
    torch.testing.assert_close(net(torch.where(mask, torch.rand_like(x), x), hidden), net(x, hidden))
    assert net(x, hidden).shape == (2, 16, 8) and net.videomae(x, hidden).shape == (2, 16, 8)
    assert net.videomae(x).shape == (2, 32, 8)


def test_each_hidden_patch_has_a_prediction_for_its_own_place() -> None:
    net = small().double().eval()
    hidden = net.tubes(1, 0.5, torch.Generator().manual_seed(1))
    predicted = net(torch.rand(1, 1, 4, 8, 8, dtype=torch.float64), hidden)[0].detach()
    assert float(torch.pdist(predicted).min()) > 1e-6


def test_training_lowers_the_loss_and_the_checkpoint_loads(tmp_path: Path) -> None:
    model = LitVideoMAE(optimizer=ADAM, mask_fraction=0.5, **SMALL, **OTHER)
    x = torch.rand(8, 1, 1, 8, 8).expand(8, 1, 4, 8, 8)
    batch = DataLoader([(x, torch.zeros(8))] * 20, batch_size=None)  # type: ignore[arg-type]
    before = float(model.eval().loss_of(x, 0))
    trainer = small_trainer(tmp_path, max_epochs=2)
    trainer.fit(model, batch, batch)
    assert float(model.eval().loss_of(x, 0)) < before
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitVideoMAE.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True).eval()
    assert torch.equal(again.loss_of(x, 0), model.loss_of(x, 0))
    assert model.predict_step((x,), 0)["error"].shape == (8,)
    model.loss_of(x, 0).backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())]


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"image_size": 9}, "data.image_size 9 is not a multiple of model.patch_size 2: give --data.image_size 8"),
        ({"num_frames": 5}, "data.num_frames 5 is not a multiple of model.tubelet_size 2: give --data.num_frames 4"),
    ],
)
def test_sizes_that_are_not_divisible_are_named(sizes: dict[str, int], says: str) -> None:
    with pytest.raises(UserError, match=says):
        small(**sizes)


def test_several_clips_of_a_video_are_measured_together_and_alike_in_any_batch(tmp_path: Path) -> None:
    model = LitVideoMAE(**(SMALL | OTHER)).eval()  # type: ignore[arg-type]
    videos = torch.rand(3, 2, 1, 4, 8, 8)
    (found,) = small_trainer(tmp_path).test(model, DataLoader([(videos, 0)], batch_size=None), verbose=False)  # type: ignore[arg-type]
    assert found["test/loss"] > 0
    errors = model.predict_step((videos,), 0)["error"]
    each = model.predict_step(videos.flatten(0, 1), 5)["error"]
    torch.testing.assert_close(errors, each.view(3, 2).mean(1))


def test_published_files_have_their_biases_beside_the_layers() -> None:
    for net in (small(), VideoMAEClassifier(num_classes=2, **SMALL, num_heads=2, ffn_size=8)):  # type: ignore[arg-type]
        ours = set(net.state_dict())
        theirs = {key.replace(".query.bias", ".q_bias").replace(".value.bias", ".v_bias") for key in ours}
        assert theirs != ours and {net.rename(key) for key in theirs} == ours


def test_with_published_weights_the_encoder_sees_normalized_colors_and_targets_are_pixels() -> None:
    model = LitVideoMAE(**(SMALL | OTHER | {"in_channels": 3})).eval()  # type: ignore[arg-type]
    x, hidden = torch.rand(2, 3, 4, 8, 8), model.net.tubes(2, 0.9, torch.Generator().manual_seed(0))  # type: ignore[operator]
    model.weights_from = "published"
    expected = (model.net(normalize(x, *IMAGENET), hidden) - model.net.patches(x)[hidden].view(2, -1, 24)).square()  # type: ignore[operator]
    torch.testing.assert_close(model.loss_of(x, 0), expected.mean())
