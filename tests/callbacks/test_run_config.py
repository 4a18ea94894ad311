"""config.yaml is written when training begins."""

from pathlib import Path

from lightning.pytorch import Trainer

from callbacks.run_config import RunConfig
from tests.small import Points, SmallNet, small_trainer


def test_the_config_is_written_when_training_begins(tmp_path: Path) -> None:
    small_trainer(tmp_path, RunConfig("model: x\n")).fit(SmallNet(), datamodule=Points())
    assert (tmp_path / "config.yaml").read_text() == "model: x\n" and not (tmp_path / "config.tmp").exists()


def test_a_trial_of_one_batch_writes_nothing(tmp_path: Path) -> None:
    trainer = Trainer(default_root_dir=tmp_path, fast_dev_run=True, accelerator="cpu", callbacks=[RunConfig("a: 1")])
    trainer.fit(SmallNet(), datamodule=Points())
    assert not (tmp_path / "config.yaml").exists()
