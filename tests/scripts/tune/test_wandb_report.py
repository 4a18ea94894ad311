"""A search in Weights & Biases: its trials are a group, its report one more run; the sweep file has the same space."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from scripts.front.recipes import CONFIGS
from scripts.tune.space import find_space, read_space
from scripts.tune.wandb_report import logger_of, send
from scripts.verbs import tune
from tests.callbacks.test_wandb_run import of_kind, records
from tests.faults.tuning import RECIPE
from tests.scripts.tune.test_space import written


def test_a_search_without_the_logger_sends_nothing(tmp_path: Path) -> None:
    assert logger_of(tmp_path) is None and not send(tmp_path, {}, [])
    for number, loggers in enumerate(([], [{"class_path": "callbacks.metrics_csv.MetricsCSV"}])):
        run = tmp_path / str(number) / "trials/0000"
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(yaml.safe_dump({"trainer": {"logger": loggers}}))
        assert logger_of(tmp_path / str(number)) is None
    logger = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"project": "mine"}}
    (run / "config.yaml").write_text(yaml.safe_dump({"trainer": {"logger": [*loggers, logger]}}))
    assert logger_of(tmp_path / "1") == {"project": "mine"}


@pytest.mark.slow
def test_trials_are_a_group_and_the_report_is_one_more_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {
        "DIVE_RUNS": str(tmp_path / "runs"),
        "OMP_NUM_THREADS": "1",
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB__SERVICE_WAIT": "300",
    }.items():
        monkeypatch.setenv(key, value)
    space = written(tmp_path, {"model.optimizer.lr": {"choices": [0.01, 0.03]}}, max_epochs=1)
    words = ["--space", str(space), "--sampler", "grid", "--scheduler", "none", "--study", "a", "--refit", "0"]
    assert tune.main([RECIPE, *words, "-c", "logger/wandb", "--data.batch_size", "400"]) == 0
    found = [records(file) for file in sorted(tmp_path.rglob("*.wandb"))]
    runs = [of_kind(rows, "run")[0] for rows in found]
    groups: dict[str, int] = {}
    for run in runs:
        assert run["run_group"] == "linear_regression a", run
        groups[run.get("job_type", "")] = groups.get(run.get("job_type", ""), 0) + 1
    assert groups == {"": 2, "search": 1}
    (report,) = (rows for rows in found if of_kind(rows, "run")[0].get("job_type") == "search")
    items = [row["item"] for row in of_kind(report, "history")]
    assert any(item.get("incumbent._type") == "image-file" for item in items), items


def as_sweep(d: BaseDistribution) -> dict[str, Any]:
    """A distribution as W&B writes it."""
    if isinstance(d, CategoricalDistribution):
        return {"values": list(d.choices)}
    assert isinstance(d, FloatDistribution | IntDistribution)
    if isinstance(d, IntDistribution):
        return {"distribution": "q_log_uniform_values" if d.log else "int_uniform", "min": d.low, "max": d.high}
    return {"distribution": "log_uniform_values" if d.log else "uniform", "min": d.low, "max": d.high}


def test_the_sweep_file_has_the_space_of_dive_tune() -> None:
    sweep = yaml.safe_load((CONFIGS / "wandb_sweep.yaml").read_text())
    space = read_space(find_space("cnn/lenet", None))
    assert sweep["parameters"] == {key: as_sweep(d) for key, d in space.parameters.items()}
    assert sweep["metric"] == {"name": space.metric, "goal": {"max": "maximize", "min": "minimize"}[space.mode]}
    assert (sweep["early_terminate"]["min_iter"], sweep["early_terminate"]["eta"]) == (space.min_epochs, space.eta)
    assert f"--trainer.max_epochs={space.max_epochs}" in sweep["command"]
