"""Your own videos: sizes from the files, clips anywhere in a video, and bad input in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.video.video_folder import VideoFolder, spread
from tests.datamodules.video.videos import fill, frames, write


def data_of(root: Path, stage: str = "fit", training: bool = False, **arguments: Any) -> VideoFolder:
    data = VideoFolder(str(root), **({"num_frames": 4, "image_size": 8} | arguments))
    data.setup(stage)
    if training:
        data.trainer = type("T", (), {"training": True})()  # type: ignore[assignment]
    return data


def test_sizes_come_from_the_files(tmp_path: Path) -> None:
    found = VideoFolder.infer(str(fill(tmp_path)))
    assert found == {"num_classes": 2, "in_channels": 1, "num_frames": 6, "image_size": 12}


def test_a_clip_is_consecutive_frames_from_anywhere_in_its_video(tmp_path: Path) -> None:
    data = data_of(fill(tmp_path, count=9), training=True, frame_step=2)
    starts = set()
    for _ in range(40):
        x, _ = data.transform(data.splits["train"])
        values = (x[:, 0, :, 0, 0] * 25.5).round() % 12  # the number of the frame
        assert x.shape[1:] == (1, 4, 8, 8) and bool((values.diff(dim=1) % 12 == 2).all())
        starts |= set(values[:, 0].tolist())
    assert len(starts) > 3


def test_test_clips_are_spread_over_the_video_and_the_middle_one_is_validated(tmp_path: Path) -> None:
    data = data_of(fill(tmp_path), "test", test_clips=3)
    x, y = data.transform(data.splits["test"])
    assert x.shape == (2, 3, 1, 4, 8, 8) and y.tolist() == [0, 1]
    assert spread(torch.tensor([0, 6, 7]), 3).tolist() == [[0, 0, 0], [0, 3, 6], [0, 4, 7]]
    assert spread(torch.tensor([7]), 1).tolist() == [[3]]
    one = data_of(tmp_path, "test", test_clips=1)
    assert one.transform(one.splits["test"])[0].ndim == 5


def test_all_frames_of_a_clip_move_by_the_same(tmp_path: Path) -> None:
    data = data_of(fill(tmp_path), shift=3)
    still = torch.rand(16, 1, 1, 8, 8).expand(16, 1, 4, 8, 8)
    (moved,) = data.augment((still,))
    assert torch.equal(moved, moved[:, :, :1].expand_as(moved)) and not torch.equal(moved, still)


def test_the_folder_of_training_can_be_the_test_folder_and_an_empty_test_split_is_one_line(tmp_path: Path) -> None:
    data = data_of(fill(tmp_path), "test", test_root=str(tmp_path))
    assert len(data.splits["test"][0]) == 8
    with pytest.raises(UserError, match="the test split of VideoFolder is empty"):
        data_of(tmp_path, "test", test_fraction=0.0)


def test_prediction_needs_no_classes(tmp_path: Path) -> None:
    for k in range(3):
        write(tmp_path / f"v{k}.gif", frames(5 + k))
    data = VideoFolder(str(tmp_path), 2, 1, 4, 8, test_clips=2)
    data.setup("predict")
    assert data.predict_names == ["v0.gif", "v1.gif", "v2.gif"]
    assert data.transform(data.splits["predict"])[0].shape == (3, 2, 1, 4, 8, 8)


def test_short_and_broken_videos_are_left_out_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    write(tmp_path / "dark/short.gif", frames(3))
    (tmp_path / "light/bad.gif").write_bytes(b"GIF89a")
    data = data_of(tmp_path, val_fraction=0.3, test_fraction=0.0)
    assert sum(len(rows[0]) for rows in data.splits.values()) == 8
    said = capsys.readouterr().err
    assert "2 of 10 videos cannot be used and are left out" in said
    assert "dark/short.gif (3 frames, a clip needs 4)" in said and "light/bad.gif (not a video)" in said


def test_different_frame_rates_are_said(tmp_path: Path) -> None:
    fill(tmp_path)
    write(tmp_path / "dark/fast.gif", frames(8), duration=20)
    data = data_of(tmp_path, val_fraction=0.3, test_fraction=0.0)
    assert any("frame rates from 10 to 50 per second" in fact for fact in data.facts)
    equal = data_of(tmp_path, frame_rate=5.0, num_frames=2)
    assert not any("frame rates" in fact for fact in equal.facts)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"num_frames": 50}, "8 of 8 videos cannot be used: .* give a smaller --data.num_frames"),
        ({"in_channels": 2}, "data.in_channels is 2"),
        ({"frame_step": 0}, "data.frame_step is 0"),
        ({"val_fraction": 0.7, "test_fraction": 0.5}, "leave nothing to train on"),
        ({"num_classes": 3}, "has 2 class folders, but data.num_classes is 3"),
        ({"memory_limit_mb": 1e-4}, "take more than data.memory_limit_mb"),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, Any], says: str, tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(UserError, match=says) as error:
        data_of(tmp_path, **({"val_fraction": 0.3, "test_fraction": 0.0} | arguments))
    assert "\n" not in str(error.value)


def test_a_folder_without_videos_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mpx").write_bytes(b"x")
    with pytest.raises(UserError, match=r"has no videos: 1 file cannot be read as videos \(.mpx 1\)"):
        VideoFolder(str(tmp_path))
    with pytest.raises(UserError, match="has no videos"):
        VideoFolder(str(tmp_path), 2, 1, 4, 8).setup("predict")
    with pytest.raises(UserError, match="no folder"):
        VideoFolder(str(tmp_path / "nowhere"))


def test_what_a_run_remembers_changes_with_the_frames(tmp_path: Path) -> None:
    before = data_of(fill(tmp_path)).content()
    write(tmp_path / "dark/v0.gif", frames(6, first=1))
    after = data_of(tmp_path).content()
    assert any(before[name][0] != after[name][0] for name in before)


def test_a_negative_frame_rate_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(UserError, match=r"data.frame_rate is -5.0: give frames per second"):
        VideoFolder(str(tmp_path), frame_rate=-5.0)


def test_another_folder_than_the_runs_is_tested_whole(tmp_path: Path) -> None:
    run = data_of(fill(tmp_path / "a"))
    for root, count in ((fill(tmp_path / "b", each=3), 6), (tmp_path / "a", 2)):
        data = VideoFolder(str(root), 2, 1, 4, 8)
        data.load_processor(run.processor())
        data.setup("test")
        assert len(data.splits["test"][0]) == count and data.other_file == (count == 6)
    folder = tmp_path / "a" / "dark" / "v2"  # a folder of frames counts with all that is in it
    (folder / "frame_99.png").write_bytes((folder / "frame_1.png").read_bytes())
    data = VideoFolder(str(tmp_path / "a"), 2, 1, 4, 8)
    data.load_processor(run.processor())
    with pytest.raises(UserError, match="names or sizes of its files changed"):
        data.setup("test")
