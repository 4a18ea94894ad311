"""What a classifier of videos adds: the mean over clips, and Kinetics' normalization for published weights."""

import torch
from torch import nn

from lit_models.video.resnet3d import LitVideoResNet
from lit_models.video.video_classifier import KINETICS, normalize


def small() -> LitVideoResNet:
    return LitVideoResNet(num_classes=3, in_channels=1, num_frames=2, image_size=8, width=4, blocks=[1]).eval()


def test_the_prediction_of_a_video_is_the_mean_of_its_clips() -> None:
    model, x = small(), torch.rand(2, 5, 1, 2, 8, 8)
    each = torch.stack([model(x[:, k]).softmax(1) for k in range(5)], 1)
    torch.testing.assert_close(model(x).softmax(1), each.mean(1))
    found = model.predict_step((x,), 0)
    torch.testing.assert_close(found["clips"], each)
    torch.testing.assert_close(found["probabilities"], each.mean(1))
    assert "clips" not in model.predict_step(x[:, 0], 0)


def test_clips_are_normalized_for_published_weights_only() -> None:
    class Same(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    x = torch.rand(2, 3, 2, 4, 4)
    torch.testing.assert_close(normalize(x, *KINETICS)[:, 1], (x[:, 1] - 0.394666) / 0.22145)
    with torch.device("meta"):
        published = LitVideoResNet(num_classes=3, weights="some.pth")
    plain = small()
    published.net = plain.net = Same()  # type: ignore[assignment]
    torch.testing.assert_close(published(x), normalize(x, *KINETICS))
    assert torch.equal(plain(x), x)
