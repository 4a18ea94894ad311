"""Tensor, pipeline and FSDP2 parallelism: two processes end with the weights of one; checkpoints of either continue."""

from pathlib import Path
from typing import Any

import pytest
import torch

from scripts.front.checkpoints import read_checkpoint
from tests.distributed.divided_runs import train
from tests.warm import dive, lines, start, start_ranks, wait

#: Language models compute their loss in single precision.
TOLERANCE = {"lenet": 1e-10}


def run(folder: Path, name: str, kind: str, world: int, **settings: Any) -> Path:
    folder.mkdir()
    if world == 1:
        processes = [start(job, folder, name, kind, world, settings, log=folder / "rank0.log")]
    else:
        processes = start_ranks(job, folder, name, kind, world, settings, world=world, folder=folder)
    log = "\n".join(path.read_text()[-3000:] for path in folder.glob("*.log"))
    assert wait(*processes) == [0] * world, log or "\n".join(p.read_text()[-3000:] for p in folder.glob("*.log"))
    return folder


def job(folder: Path, name: str, kind: str, world: int, settings: dict[str, Any]) -> None:
    train(folder, name, kind, world, **settings)


def furthest(a: Path, b: Path) -> float:
    one, two = (read_checkpoint(folder / "last.ckpt")["state_dict"] for folder in (a, b))
    assert one.keys() == two.keys()
    return max(float((one[name] - value).abs().max()) for name, value in two.items())


QUICK = (("tensor", "transformer"), ("pipeline", "gpt untied"))
CASES = [
    *QUICK,
    *(
        pytest.param(kind, name, marks=pytest.mark.slow)
        for kind, name in (
            *(("tensor", "gpt"), ("tensor", "llama"), ("pipeline", "lenet"), ("gpipe", "lenet")),
            *(("sharded", "gpt"), ("sharded", "transformer")),
        )
    ),
]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_two_processes_end_with_the_weights_and_metrics_of_one(kind: str, name: str, tmp_path: Path) -> None:
    clip: dict[str, Any] = {"gradient_clip_val": 0.5} if kind in ("tensor", "pipeline") else {}
    one, two = (run(tmp_path / str(world), name, kind, world, **clip) for world in (1, 2))
    assert furthest(one, two) < TOLERANCE.get(name, 1e-5)
    metrics = [torch.load(folder / "metrics.pt") for folder in (one, two)]
    assert metrics[0] == pytest.approx(metrics[1], abs=1e-5)
    whole = torch.load(one / "own0.pt")
    assert max(torch.load(two / f"own{rank}.pt") for rank in range(2)) < 0.85 * whole


@pytest.mark.parametrize(
    ("kind", "name", "first"),
    [
        ("pipeline", "lenet", 2),
        pytest.param("tensor", "gpt", 1, marks=pytest.mark.slow),
        pytest.param("tensor", "gpt", 2, marks=pytest.mark.slow),
        pytest.param("pipeline", "lenet", 1, marks=pytest.mark.slow),
    ],
)
def test_a_run_continues_with_another_number_of_processes(kind: str, name: str, first: int, tmp_path: Path) -> None:
    begun = run(tmp_path / "begun", name, kind, first, epochs=1)
    rest = run(tmp_path / "rest", name, kind, 3 - first, epochs=2, resume=str(begun / "last.ckpt"))
    assert furthest(rest, run(tmp_path / "straight", name, kind, 1, epochs=2)) < TOLERANCE.get(name, 1e-5)


def test_dropout_leaves_the_processes_equal(tmp_path: Path) -> None:
    """What both have whole is the same in both after some steps: they dropped the same units."""
    folder = tmp_path / "run"
    folder.mkdir()
    assert wait(*start_ranks(same_whole_weights, folder, folder=folder)) == [0, 0]
    one, two = (torch.load(folder / f"norms{rank}.pt") for rank in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def same_whole_weights(folder: Path) -> None:
    import os

    from tests.distributed import divided_runs

    made = divided_runs.MODELS["gpt with dropout"]()
    divided_runs.MODELS["kept"] = lambda: made
    train(folder, "kept", "tensor", 2, epochs=1)
    whole = [p.detach() for p in made[0].parameters() if not hasattr(p, "to_local")]
    torch.save(whole, folder / f"norms{os.environ['LOCAL_RANK']}.pt")


# -- what cannot be done --------------------------------------------------------------------------------------------

FIT = ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]


@pytest.mark.parametrize(
    ("recipe", "preset", "words", "says"),
    [
        ("attention/gpt", "pipeline", [], "GPT uses weights in two layers: --model.tied false, or trainer/ddp"),
        pytest.param(
            *("attention/gpt", "tensor_parallel", ["--model.num_heads", "1"]),
            "2 processes do not divide the 1 heads",
            marks=pytest.mark.slow,
        ),
        pytest.param("cnn/lenet", "tensor_parallel", [], "LeNet has no attention to divide", marks=pytest.mark.slow),
        pytest.param("linear/softmax_regression", "pipeline", [], "2 processes for 1 layers", marks=pytest.mark.slow),
        pytest.param(
            "cnn/lenet", "pipeline", ["-c", "regularizer/swa"], "averaging the weights", marks=pytest.mark.slow
        ),
        pytest.param("cnn/googlenet", "pipeline", [], "GoogLeNet is not layers one after", marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_divided_is_refused_in_one_line(
    recipe: str, preset: str, words: list[str], says: str, tmp_path: Path
) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    fit = ["fit", recipe, "-c", f"trainer/{preset}", *words, *FIT]
    assert wait(*start_ranks(dive, *fit, folder=tmp_path, env=env), seconds=120)[0] == 2
    assert lines(tmp_path / "rank0.log")[-1].startswith(says)
