"""The README's commands exist and its example runs."""

import re
import shlex
from pathlib import Path

import pytest

from scripts.front.arguments import resolve
from scripts.front.recipes import find_recipe
from scripts.front.verbs import LIGHTNING, find_verbs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for kind, block in BLOCKS if not kind for line in block.splitlines()]
COMMANDS = sorted({line for line in LINES if line.startswith("dive ")})
TABLE = re.findall(r"`(dive [^`]+)`", README[README.index("<!--plan-->") : README.index("<!--/plan-->")])


@pytest.mark.parametrize("command", [*COMMANDS, *TABLE])
def test_command_resolves(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verb, *words = shlex.split(command)[1:]
    assert verb in (*LIGHTNING, *find_verbs())
    if verb not in LIGHTNING:
        return
    recipe = find_recipe(words[0])
    run = tmp_path / "runs" / recipe.name / "a"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").write_text(recipe.path.read_text())
    for name in ("best", "last"):
        (run / f"checkpoints/{name}.ckpt").write_bytes(b"x")
    assert resolve(verb, words).recipe == recipe.name


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)", README))))
def test_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_link_leads_somewhere(name: str) -> None:
    assert name.startswith("https://") or (ROOT / name).exists()


def test_library_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = [block for kind, block in BLOCKS if kind == "python"]
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    exec(example.replace("max_epochs=1", "max_epochs=1, limit_train_batches=5"), scope)
    assert scope["trainer"].callback_metrics["test/acc"] > 0.2  # type: ignore[attr-defined]


def test_all_twenty_items_of_the_plan_stand_in_the_table() -> None:
    assert re.findall(r"^\| (\d+) \|", README, re.MULTILINE) == [str(k) for k in range(1, 21)]
