"""BCCD: the published split, and two boxes that are points."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.vision.bccd import BCCD
from datamodules.vision.voc_folder import read_voc

HERE = Path(data_root()) / "BCCD"


def test_a_missing_folder_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"git clone https://github.com/Shenggan/BCCD_Dataset"):
        BCCD().setup("fit")


@pytest.mark.realdata
@pytest.mark.skipif(not HERE.is_dir(), reason="DIVE_DATA has no BCCD")
def test_the_published_split() -> None:
    splits = read_voc(str(HERE))
    assert {name: len(items) for name, items in splits.items()} == {"train": 205, "val": 87, "test": 72}
    assert sum(len(item.labels) for items in splits.values() for item in items) == 4888


@pytest.mark.realdata
@pytest.mark.skipif(not HERE.is_dir(), reason="DIVE_DATA has no BCCD")
def test_points_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    data = BCCD(image_size=32)
    data.setup("fit")
    data.setup("test")
    assert data.class_names == ["Platelets", "RBC", "WBC"]
    total = sum(int((data.splits[name][3] >= 0).sum()) for name in ("train", "val", "test"))
    assert total == 4886 and "left out" in capsys.readouterr().err
    data.setup("predict")
    assert data.predict_picture(0)[0].size == (640, 480)
    assert len(data.predict_names or []) == len(data.splits["predict"][0]) == 72
