"""The end of a search: the best configuration is fitted again with other seeds, and tested for the first time."""

import json
from collections.abc import Iterable
from typing import Any

from common.messages import RunError, UserError
from scripts.front import forked
from scripts.front.runs import RUN_DIR, path_of
from scripts.tune.engine import Search
from scripts.tune.ledger import Ledger
from scripts.tune.pictures import best_of
from scripts.tune.space import words_of


def refit_best(search: Search, ledger: Ledger, seeds: Iterable[int]) -> list[dict[str, Any]]:
    """Fits and tests the best configuration, once for each seed; returns the seeds with the test metrics.

    Of several processes of a study one does it. A seed that is done stays done.

    Raises:
        RunError: A fit or test failed.
        UserError: Every trial failed.
    """
    view = ledger.view()
    best = best_of(search.space, list(view.trials.values()))
    if best is None:
        errors = [str(t.user_attrs.get("error")) for t in view.trials.values() if t.user_attrs.get("error")]
        raise UserError(f"all trials failed, the last one with: {errors[-1] if errors else 'no value'}")
    found = []
    for seed in seeds:
        folder = search.folder / "best" / f"trial{best.user_attrs['draw']:04d}_seed{seed}"
        record = folder / "run.json"
        if not (record.is_file() and has_test(json.loads(record.read_text()))):
            turn = view.turns.get(-seed)
            if turn and ledger.lives(turn.worker) and turn.worker != ledger.worker:
                continue  # another process is at it
            if not ledger.claim(-seed, turn.number + 1 if turn else 0, search.space.max_epochs):
                continue
            folder.mkdir(parents=True, exist_ok=True)
            words = [search.recipe, *search.arguments, "--trainer.max_epochs", str(search.space.max_epochs)]
            words += [*words_of(best.params), "--seed_everything", str(seed)]
            if path_of(folder, "last").is_file():
                words = [search.recipe, "--run", str(folder), "--resume"]
            run(["fit", *words], str(folder) if "--resume" not in words else None)
            run(["test", search.recipe, "--run", str(folder)], None)
        metrics = json.loads(record.read_text())["metrics"]
        found.append({"seed": seed, **{k: v for k, v in metrics.items() if k.startswith("test/")}})
    return found


def has_test(record: dict[str, Any]) -> bool:
    """Whether a run was tested."""
    return any(name.startswith("test/") for name in record.get("metrics", {}))


def run(words: list[str], folder: str | None) -> None:
    """One ``dive`` command in a process of its own."""
    code, output = forked.run(words, {RUN_DIR: folder})
    if code:
        last = (output.strip() or "no output").splitlines()[-1]
        raise RunError(f"`dive {words[0]}` of the best configuration ended with exit code {code}: {last}")
