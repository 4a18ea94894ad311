"""The end of a search: the best configuration is fitted again with other seeds, and tested for the first time."""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from common.messages import RunError, UserError
from scripts.front.forked import FORKS
from scripts.front.runs import path_of
from scripts.tune.engine import END_SECONDS
from scripts.tune.ledger import SIGN_SECONDS, Ledger
from scripts.tune.pictures import best_of
from scripts.tune.search import Search
from scripts.tune.space import words_of
from scripts.tune.trial import enter_command, last_line


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
            words = [search.recipe, *search.arguments, "--trainer.max_epochs", str(search.space.max_epochs)]
            words += [*words_of(best.params), "--seed_everything", str(seed)]
            if path_of(folder, "last").is_file():
                words = [search.recipe, "--run", str(folder), "--resume"]
            run(["fit", *words], folder, ledger)
            run(["test", search.recipe, "--run", str(folder)], folder, ledger)
        metrics = json.loads(record.read_text())["metrics"]
        found.append({"seed": seed, **{k: v for k, v in metrics.items() if k.startswith("test/")}})
    return found


def has_test(record: dict[str, Any]) -> bool:
    """Whether a run was tested."""
    return any(name.startswith("test/") for name in record.get("metrics", {}))


def run(words: list[str], folder: Path, ledger: Ledger) -> None:
    """One ``dive`` command in a process of its own, which ends with this one; meanwhile the ledger gets signs of life.

    Raises:
        RunError: It ended with an error.
    """
    ear, life = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=enter_command, args=(words, str(folder), ear))
    process.start()
    ear.close()
    try:
        while process.is_alive():
            process.join(SIGN_SECONDS)
            ledger.sign()
    finally:
        with suppress(OSError):
            process.terminate()  # of one that has ended: nothing. Else it saves, and ends
        process.join(END_SECONDS)
        process.kill()
        life.close()
    if process.exitcode:
        last = last_line(folder / "trial.log")
        raise RunError(f"`dive {words[0]}` of the best configuration ended with exit code {process.exitcode}: {last}")
