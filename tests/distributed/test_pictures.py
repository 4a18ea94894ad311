"""Every picture is drawn after a run, once on two processes, and shows there what it shows on one."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.distributed.pictures import CASES, draw_all
from tests.warm import start_ranks, wait

CALLBACKS = Path(__file__).parent.parent.parent / "callbacks/pictures"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """All pictures of one process, and of two."""
    found = {}
    for world in (1, 2):
        found[world] = tmp_path_factory.mktemp(f"pictures{world}")
        codes = wait(*start_ranks(partial(draw_all, found[world], world), world=world, folder=found[world]))
        assert codes == [0] * world, (found[world] / "rank0.log").read_text()[-3000:]
    return found


def drawn(folder: Path, name: str, rank: int = 0) -> list[Any]:
    return torch.load(folder / f"{name}.rank{rank}.pt", weights_only=True)


@pytest.mark.parametrize("name", CASES)
def test_a_picture_is_drawn_after_a_run(name: str, folders: dict[int, Path]) -> None:
    assert len(drawn(folders[1], name)) == 1
    assert (folders[1] / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("name", CASES)
def test_two_processes_draw_once_what_one_draws(name: str, folders: dict[int, Path]) -> None:
    assert len(drawn(folders[2], name)) == 1 and drawn(folders[2], name, rank=1) == []
    assert (folders[2] / f"{name}.png").is_file()
    check_same(*(drawn(folders[world], name) for world in (1, 2)))


def check_same(one: Any, two: Any) -> None:
    """Raises where two values, to any depth, differ by more than rounding; what the clock says is left out."""
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        pairs = [(one[key], two[key]) for key in one if not str(key).startswith("time/")]
    elif isinstance(one, list | tuple):
        pairs = list(zip(one, two, strict=True))
    elif isinstance(one, torch.Tensor):
        torch.testing.assert_close(two, one, atol=1e-5, rtol=1e-4)
        return
    else:
        assert one == (pytest.approx(two, rel=1e-4) if isinstance(one, float) else two)
        return
    for pair in pairs:
        check_same(*pair)


#: Pictures that are not compared here, and why.
ELSEWHERE = {
    "placement": "drawn of two processes in test_two_gpus.py: of one it shows another network",
    "word_map": "of trained vectors: each process draws its own negatives",
}


def test_no_picture_is_left_out() -> None:
    assert all((CALLBACKS / f"{name}.py").is_file() for name in ELSEWHERE)
    files = [path.read_text() for path in CALLBACKS.glob("*.py") if path.name != "picture.py"]
    pictures = sum(text.count("Picture):") for text in files)
    assert pictures == len(CASES) + len(ELSEWHERE)
