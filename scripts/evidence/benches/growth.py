"""How time and memory of a recommender grow with people, films and ratings, to 20 million generated ratings.

Each size is a process of its own: random ratings, ``recommender/mf`` as ``dive fit`` trains it for some steps, and full
rankings of some people.

    python -m scripts.evidence.benches.growth 200000 2000 5000
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from lit_models.functional.ranking import top_items, unseen
from scripts.evidence.benches import ours, processes
from scripts.evidence.benches.recommender import pairs, recipe
from scripts.evidence.benches.workloads import Clock

#: Ratings, people, films: ten times less, the base, and ten times more of each.
SIZES = (
    (200_000, 20_000, 5_000),
    (2_000_000, 20_000, 5_000),
    (2_000_000, 200_000, 5_000),
    (2_000_000, 20_000, 50_000),
    (20_000_000, 200_000, 5_000),
)
STEPS, RANKED, RANKINGS = 200, 128, 8
Row = dict[str, Any]


def one(ratings: int, users: int, items: int, steps: int = STEPS) -> Row:
    """Seconds to load, ratings per second in training, rankings per second, and the most memory, of this process."""
    model, data = recipe(users, items, ratings)
    pairs(users, items, ratings)  # generating them is not timed as loading
    begun = time.perf_counter()
    data.prepare_data()
    data.setup("fit")
    loading = time.perf_counter() - begun
    clock = Clock(steps)
    ours.fit(model, data, clock)
    row = {"ratings": ratings, "users": users, "items": items, "loading": loading}
    row |= {"trained": clock.samples / clock.seconds, "epoch": 0.8 * ratings * clock.seconds / clock.samples}
    return row | {"ranked": rankings(model, users, items), "mib": processes.peak_memory()}


@torch.inference_mode()
def rankings(model: Any, users: int, items: int) -> float:
    """People per second whose ten best unseen films of all are found."""
    model.eval()
    history = model.positives[: RANKED * RANKINGS].view(RANKINGS, RANKED, 1) % items
    begun = time.perf_counter()
    for k in range(RANKINGS):
        who = torch.arange(k * RANKED, (k + 1) * RANKED) % users
        scores = model.net.everything(who)
        top_items(scores.masked_fill(~unseen(history[k], items), -torch.inf), 10)
    return RANKED * RANKINGS / (time.perf_counter() - begun)


def measure(
    repeats: int, say: Callable[[str], None], sizes: tuple[tuple[int, int, int], ...] = SIZES, steps: int = STEPS
) -> list[Row]:
    """A row for each size with what each of the turns measured; the sizes take turns."""
    rows: list[Row] = [dict(zip(("ratings", "users", "items"), size, strict=True)) for size in sizes]
    for _ in range(repeats):
        for row, size in zip(rows, sizes, strict=True):
            out = processes.python(["-m", "scripts.evidence.benches.growth", *map(str, size), str(steps)], threads=2)[2]
            found = json.loads(out.splitlines()[-1])
            for name in ("loading", "trained", "epoch", "ranked", "mib"):
                row.setdefault(name, []).append(found[name])
            said = f"{found['trained']:,.0f} ratings/s, {found['mib']:,.0f} MiB"
            say("growth: {:,} ratings, {:,} people, {:,} films: ".format(*size) + said)
    return rows


if __name__ == "__main__":
    print(json.dumps(one(*(int(word) for word in sys.argv[1:]))))
