"""config.yaml appears when training begins, and stays as it was where it does not."""

from pathlib import Path

import pytest

from callbacks.run_config import RunConfig
from tests.small import Points, SmallNet, small_trainer


def test_it_is_there_before_any_other_callback_begins(tmp_path: Path) -> None:
    model = SmallNet()
    model.on_train_start = lambda: seen.append((tmp_path / "config.yaml").read_text())  # type: ignore[method-assign]
    seen: list[str] = []
    small_trainer(tmp_path, RunConfig("now"), max_epochs=1).fit(model, datamodule=Points())
    assert seen == ["now"]


def test_a_fit_that_does_not_begin_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("before")
    with pytest.raises(ValueError, match=r"data\.num_classes is 2"):
        small_trainer(tmp_path, RunConfig("now")).fit(SmallNet(), datamodule=Points(num_classes=2))
    small_trainer(tmp_path, RunConfig("now"), fast_dev_run=True).fit(SmallNet(), datamodule=Points())
    assert (tmp_path / "config.yaml").read_text() == "before"
