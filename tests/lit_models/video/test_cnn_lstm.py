"""The recurrent baseline: the battery, and that clips and frames are not mixed."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.video.cnn_lstm import CNNLSTM, LitCNNLSTM
from tests.battery import ADAM, ClassifierBattery


class TestLitCNNLSTM(ClassifierBattery):
    parameters = 2_206  # frames 406, LSTM 1,664, head 136
    overfit_steps = 100

    def model(self) -> LitCNNLSTM:
        return LitCNNLSTM(
            num_classes=8, in_channels=1, num_frames=4, image_size=8, width=2, hidden_size=16, optimizer=ADAM
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 4, 8, 8), torch.arange(8)


def test_a_frame_that_comes_later_changes_nothing_before_it() -> None:
    net, x = CNNLSTM(1, 3, 8, 2, 4).eval(), torch.rand(2, 1, 5, 8, 8)
    longer = torch.cat([x, torch.rand(2, 1, 2, 8, 8)], 2)
    torch.testing.assert_close(net(longer[:, :, :5]), net(x))
    assert not torch.allclose(net(longer), net(x))


def test_too_small_frames_are_named() -> None:
    with pytest.raises(UserError, match=r"data.image_size is 7"):
        CNNLSTM(image_size=7)
