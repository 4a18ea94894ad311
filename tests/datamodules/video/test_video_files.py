"""Readers of videos: each kind gives the frames that were written, and a broken one names the frame."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.messages import UserError
from datamodules.video.video_files import BrokenVideoError, find_videos, frames_in, read_header, read_video, resampled
from tests.datamodules.video.videos import frames, write


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.npy", "a"])
def test_each_kind_gives_its_frames(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, frames(11))  # frame_10 after frame_9
    header = read_header(str(path))
    assert (header.frames, header.side, header.gray) == (11, 12, True)
    assert header.rate == (10 if name in ("a.gif", "a.png") else 0)
    video = read_video(str(path), 1, 6)
    assert video.shape == (11, 1, 6, 6) and video[:, 0, 0, 0].tolist() == [10 * k for k in range(11)]
    assert read_video(str(path), 3, 6).shape == (11, 3, 6, 6)
    assert find_videos(str(tmp_path)) == [name]


def test_a_video_file_is_read_through_pyav(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "gray"
        for picture in np.repeat(frames(6, 16), 2, 2)[:, :, :32]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        container.mux(stream.encode(None))
    header = read_header(str(tmp_path / "a.avi"))
    assert (header.frames, header.side, header.rate) == (6, 16, 5)
    assert read_video(str(tmp_path / "a.avi"), 1, 8)[:, 0, 0, 0].tolist() == pytest.approx(range(0, 60, 10), abs=3)


def test_a_broken_video_file_has_its_reason_without_numbers_and_paths(tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(BrokenVideoError) as error:
        read_header(str(tmp_path / "a.mp4"))
    assert "Errno" not in str(error.value) and str(tmp_path) not in str(error.value)


def test_without_pyav_a_video_file_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(UserError, match=r"a.mp4 needs PyAV to be read: `pip install \"dive\[video\]\"`"):
        read_header(str(tmp_path / "a.mp4"))


def test_arrays_with_channels_last_or_first(tmp_path: Path) -> None:
    for shape in ((5, 8, 9, 3), (5, 3, 8, 9)):
        np.save(tmp_path / "a.npy", np.zeros(shape, np.float32))
        assert read_video(str(tmp_path / "a.npy"), 3, 4).shape == (5, 3, 4, 4)
    np.save(tmp_path / "a.npy", np.zeros((5, 8, 9, 7), np.uint8))
    with pytest.raises(BrokenVideoError, match=r"its shape is \(5, 8, 9, 7\)"):
        read_header(str(tmp_path / "a.npy"))


def test_of_a_folder_with_several_kinds_of_images_the_most_frequent_are_frames(tmp_path: Path) -> None:
    for name in ("img_1", "img_2", "img_10", "flow_1", "flow_2"):
        Image.new("L", (4, 4)).save(tmp_path / f"{name}.jpg")
    assert frames_in(str(tmp_path)) == ["img_1.jpg", "img_2.jpg", "img_10.jpg"]
    assert find_videos(str(tmp_path)) == ["."]


def test_a_single_image_is_no_video(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    assert find_videos(str(tmp_path)) == []


def test_a_broken_video_names_the_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "a", frames(4))
    (path / "frame_3.png").write_bytes(b"no image")
    with pytest.raises(BrokenVideoError, match="frame 2: not a video"):
        read_video(str(path), 1, 4)
    cut = write(tmp_path / "b.gif", np.random.default_rng(0).integers(0, 255, (6, 12, 16), dtype=np.uint8))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    with pytest.raises(BrokenVideoError, match=r"frame [1-5]: "):
        read_video(str(cut), 1, 4)


def test_frame_rates_are_made_equal() -> None:
    assert resampled(6, 30, 10) == [1, 4]
    assert resampled(3, 10, 20) == [0, 0, 1, 1, 2, 2]
    assert resampled(4, 0, 10) == [0, 1, 2, 3] == resampled(4, 25, 0)


@pytest.mark.realdata
def test_public_clips_have_their_published_lengths() -> None:
    pytest.importorskip("av")
    root = Path(os.environ["DIVE_DATA"]) / "video_clips"
    lengths = {"demo.mp4": 280, "demo_spatiotemporal_det.mp4": 57, "flipping_a_pancake.mkv": 310, "test.avi": 164}
    assert find_videos(str(root)) == sorted([*lengths, "imgs"])
    assert read_header(str(root / "imgs")).frames == 10  # img_*.jpg, not the optical flow beside them
    for name in ("demo_spatiotemporal_det.mp4", "test.avi"):
        assert read_video(str(root / name), 1, 8).shape == (lengths[name], 1, 8, 8)
    for name, frames_said in lengths.items():
        header = read_header(str(root / name))
        assert abs(header.frames - frames_said) <= 2 and not header.gray and 5 < header.rate < 31


def test_numbers_that_are_not_finite_are_a_broken_video(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((5, 8, 8), np.nan))
    with pytest.raises(BrokenVideoError, match="numbers that are not finite"):
        read_video(str(tmp_path / "a.npy"), 1, 8)


def test_frames_of_sixteen_bits_have_one_white_and_lie_as_their_camera_says(tmp_path: Path) -> None:
    deep = np.stack([np.full((8, 8), value, np.uint16) for value in (0, 1000, 4000)])  # 12 bits: white is 4095
    np.save(tmp_path / "a.npy", deep)
    (tmp_path / "deep").mkdir()
    for k, frame in enumerate(deep):
        Image.fromarray(frame).save(tmp_path / f"deep/{k}.png")
    for name in ("a.npy", "deep"):
        assert read_video(str(tmp_path / name), 1, 4)[:, 0, 0, 0].tolist() == pytest.approx([0, 62, 249], abs=1)
    (tmp_path / "turned").mkdir()
    image = Image.new("L", (8, 8))
    image.paste(255, (0, 0, 8, 4))  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    for k in range(2):
        image.save(tmp_path / f"turned/{k}.png", exif=exif)
    assert read_video(str(tmp_path / "turned"), 1, 8)[0, 0, :, 0].tolist() == [0] * 4 + [255] * 4
