"""Failures of a run in one line."""

import os
from pathlib import Path

import pytest

from common.messages import UserError
from scripts.cli import main
from scripts.front.failures import check_launcher, explain_failure, explain_numbers
from tests.scripts.front.test_resuming import SMALL

INSTANCES = "--trainer.callbacks+=callbacks.instance_files.InstanceFiles"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([INSTANCES, "--trainer.callbacks.kind", "wrong"], "trainer.callbacks.kind must be 'png', 'rle', not 'wrong'"),
        (["--trainer.callbacks+", "EarlyStopping"], "EarlyStopping needs monitor: give --trainer.callbacks.monitor"),
        (["--trainer.callbacks+=Nope"], "trainer.callbacks: class 'Nope' is not known"),
        (["--model.optimizer", "Nope"], "model.optimizer: class 'Nope' is not known"),
        (["--model.optimizer", "Adam", "--model.optimizer.betas", "[2,3]"], "model.optimizer: Invalid beta"),
        (["--model.optimizer.lr", "-1"], "model.optimizer.lr is -1"),
        (["--trainer.val_check_interval", "99"], "trainer.val_check_interval is 99, and an epoch has 4 batches"),
        (["--trainer.accumulate_grad_batches", "0"], "trainer.accumulate_grad_batches is 0"),
        (["--trainer.limit_train_batches", "0.001"], "trainer.limit_train_batches is 0.001, less than one batch"),
        (["--seed_everything", "-1"], "seed_everything is -1"),
        (["--trainer.devices", "0"], "trainer.devices is 0: give at least 1"),
        (
            ["--trainer.callbacks+", "EarlyStopping", "--trainer.callbacks.monitor", "val/nope"],
            "EarlyStopping looks at val/nope, which is not logged: give its monitor one of `val/loss`",
        ),
    ],
)
def test_a_mistake_in_an_option_is_one_line_that_names_it(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    assert main(["fit", str(tmp_path / "small.yaml"), *words]) == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_processes_that_would_stop_the_machine_are_refused() -> None:
    check_launcher(8, 1, "CPUAccelerator")
    check_launcher(10**6, 1, "CUDAAccelerator")
    with pytest.raises(UserError, match=f"this machine bears {8 * (os.cpu_count() or 1)}"):
        check_launcher(10**6, 1, "CPUAccelerator")
    text = "`ModelCheckpoint(monitor='a/b')` could not find the monitored key in the returned metrics: ['x']. HINT: z"
    said = str(explain_failure(ValueError(text)))
    assert said == "the best checkpoint is looked for by a/b, which is not logged: give its metric (monitor) one of 'x'"


def test_a_negative_number_is_named_where_something_failed() -> None:
    error = RuntimeError("Trying to create tensor with negative dimension -3")
    words = ["dive", "fit", "x", "--trainer.max_epochs", "-1", "--model.net.init_args.size=-3", "--model.dropout", "0"]
    says = str(explain_numbers(error, words))
    assert says.startswith("model.net.size is -3, which is the likely cause of: Trying to create tensor")
    assert str(explain_numbers(ZeroDivisionError("division by zero"), ["--model.dropout", "0"])).startswith(
        "model.dropout"
    )
    assert explain_numbers(error, ["--model.dropout", "0", "--model.size", "3"]) is None
    assert explain_numbers(KeyError("x"), words) is None and explain_numbers(UserError("x"), words) is None
