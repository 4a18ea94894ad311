"""A strip for each video: frames, and the likeliest classes over time."""

from pathlib import Path
from typing import Any

import torch

from callbacks.video_strips import VideoStrips, draw_strip


class FakeTrainer:
    is_global_zero, fast_dev_run, world_size, datamodule = True, False, 1, None

    def __init__(self, folder: Path) -> None:
        self.default_root_dir = str(folder)


def test_each_class_has_a_curve_over_the_clips() -> None:
    probabilities = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.2, 0.6, 0.1, 0.1]])
    figure = draw_strip(torch.rand(2, 3, 4, 4), probabilities, ["a", "b", "c", "d"])
    strip, curves = figure.axes
    assert strip.get_title() == "a 0.45"
    assert [line.get_label() for line in curves.get_lines()][:2] == ["a", "b"] and len(curves.get_lines()) == 3
    assert [round(float(y), 2) for y in curves.get_lines()[0].get_ydata()] == [0.7, 0.2]  # type: ignore[union-attr]
    assert len(draw_strip(torch.rand(5, 1, 4, 4), probabilities[:1], None).axes) == 1


def test_several_clips_show_their_middle_frames_and_one_clip_all_of_its_frames(tmp_path: Path) -> None:
    trainer: Any = FakeTrainer(tmp_path)
    strips = VideoStrips(max_videos=3)
    videos = torch.rand(2, 4, 1, 5, 6, 6)
    found = {"probabilities": torch.full((2, 3), 1 / 3), "clips": torch.full((2, 4, 3), 1 / 3)}
    strips.on_predict_batch_end(trainer, None, found, (videos,), 0)  # type: ignore[arg-type]
    assert torch.equal(strips.kept[0][0], videos[0, :, :, 2])
    clips = {"probabilities": found["probabilities"]}
    strips.on_predict_batch_end(trainer, None, clips, (videos[:, 0],), 1)  # type: ignore[arg-type]
    assert len(strips.kept) == 3 and torch.equal(strips.kept[2][0], videos[0, 0].transpose(0, 1))
    strips.on_predict_epoch_end(trainer, None)  # type: ignore[arg-type]
    assert sorted(path.name for path in (tmp_path / "strips").iterdir()) == ["0.png", "1.png", "2.png"]
