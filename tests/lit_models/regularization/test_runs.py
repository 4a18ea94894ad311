"""Presets over a whole run: stopped and resumed to the last bit, and two processes with the gradients of one."""

import signal
from pathlib import Path

import pytest

from tests.distributed.pair import Pair
from tests.faults.runs import check_equal
from tests.faults.test_resume_recipes import FIT, stopped_dive
from tests.warm import dive, start, wait

EVERY = ["mixup", "cutmix", "rand_augment", "random_erasing", "input_noise", "label_noise", "fgsm", "tangent_prop"]
EVERY += ["double_backprop", "gradient_penalty", "elastic_net", "activity", "max_norm", "dropout", "drop_connect"]
EVERY += ["multitask", "pseudo_labels"]
EVERY += ["weight_noise", "gradient_noise", "label_smoothing", "no_decay_on_biases"]
SMALL = ["--data.batch_size", "8", "--data.eval_batch_size", "64", *FIT]


def words(*presets: str) -> list[str]:
    return [word for name in presets for word in ("-c", f"regularizer/{name}")]


@pytest.mark.parametrize(
    "presets",
    [
        pytest.param((*EVERY, "ema"), id="all with ema"),
        pytest.param((*EVERY, "swa"), id="all with swa", marks=pytest.mark.slow),
        pytest.param(("pgd", "swa"), id="pgd with swa", marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_with_all_of_them_ends_as_one_that_was_not(presets: tuple[str, ...], tmp_path: Path) -> None:
    """``cnn/batch_norm``, which has running statistics, stopped after its third step."""
    command = ["cnn/batch_norm", *SMALL, *words(*presets)]
    env = {name: {"DIVE_RUNS": str(tmp_path / name / "runs")} for name in ("whole", "stopped")}
    log = tmp_path / "log"
    codes = wait(
        start(dive, "fit", *command, log=log, env=env["whole"]),
        start(stopped_dive, "fit", *command, log=log, env=env["stopped"]),
    )
    assert codes == [0, 128 + signal.SIGTERM], log.read_text()[-3000:]
    assert "stopped after step" in log.read_text()
    assert wait(start(dive, "fit", *command, "--resume", log=log, env=env["stopped"])) == [0], log.read_text()[-3000:]
    check_equal(*(next((tmp_path / name / "runs/cnn/batch_norm").iterdir()) for name in ("whole", "stopped")))


def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    """Of those that draw nothing: an attack, derivatives, activities, weights. With noise on the batch they differ."""
    pair = Pair(tmp_path)
    try:
        without_chance = words("fgsm", "double_backprop", "activity", "elastic_net", "label_smoothing")
        assert pair.compare("cnn/lenet", *without_chance)[0] == ""
        assert "gradients differ" in pair.compare("cnn/lenet", *words("input_noise"))[0]
    finally:
        pair.end()
