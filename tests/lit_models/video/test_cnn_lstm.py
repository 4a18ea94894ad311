"""The recurrent baseline: the battery, and that clips and frames are not mixed."""

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.video.cnn_lstm import CNNLSTM, LitCNNLSTM
from scripts.cli import main
from tests.battery import ADAM, ClassifierBattery
from tests.datamodules.video.videos import fill, frames, write


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


def test_your_own_videos_are_learned_from_and_predicted(tmp_path: Path) -> None:
    fill(tmp_path / "videos")
    for k in range(3):
        write(tmp_path / f"new/v{k}.gif", frames(6 + k))
    sizes = ["--data.image_size", "8", "--data.batch_size", "4", "--model.width", "2", "--model.hidden_size", "4"]
    words = ["--data", "VideoFolder", "--data.root", str(tmp_path / "videos"), "--trainer.max_epochs", "1", *sizes]
    assert main(["fit", "video/cnn_lstm", *words]) == 0
    assert main(["test", "video/cnn_lstm"]) == 0
    assert main(["predict", "video/cnn_lstm", "--data.root", str(tmp_path / "new")]) == 0
    (run,) = (tmp_path / "runs/video/cnn_lstm").iterdir()
    rows = list(csv.DictReader((run / "predictions.csv").open()))
    assert [row["name"] for row in rows] == ["v0.gif", "v1.gif", "v2.gif"]
    assert all({row["label"], row["clip 1"], row["clip 4"]} <= {"dark", "light"} for row in rows)
    assert sorted(path.name for path in (run / "strips").iterdir()) == [f"v{k}.gif.png" for k in range(3)]
    assert (run / "clips.gif").is_file()
