"""Recommenders: training against the bare loop and the book's manner, full ranking against the book's loop, ALS.

Sizes are MovieLens 100K's: 943 people, 1,682 films, 100,000 ratings, here random ones. How time and memory grow with
people, films and ratings is measured by ``benches/growth.py``.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from datamodules.ratings.interactions import Interactions
from datamodules.ratings.ratings import Ratings
from lit_models.functional.ranking import interaction_matrix, unseen
from lit_models.recommender.als import least_squares
from lit_models.recommender.bpr_mf import Factors
from lit_models.recommender.mf import MatrixFactorization
from lit_models.tasks.ranker import RankingMetrics
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Recommenders",
    """\
943 people, 1,682 films, 100,000 random ratings. `mf`: `recommender/mf` with the book's 30 numbers as `dive fit` runs
it, the bare loop, and the book's manner (D2L 21.3: a loader of single ratings). `ranking`: all films that a person has
not seen, scores and mask timed; `d2l` is the book's loop over people (D2L 21.5), both with the same hits. `als`: pairs
per second in sweeps with 32 numbers, exact in double precision, as `implicit` does with `use_cg=False`, and by
default.""",
    "samples",
    (
        Goal("mf", "bare", 0.65, None, "steps of a millisecond in Lightning's loop"),
        Goal("mf", "d2l", 3.3, None, "loading whole batches by index"),
        Goal("ranking", "d2l", 30.0, None, "all items of many users at once, the mask of seen ones timed"),
    ),
)
USERS, ITEMS, RATINGS = 943, 1682, 100_000
BATCH, RATE, EMBED, PENALTY = 512, 0.01, 30, 0.05
TOP, RANKED = 50, 32  # places that the book looks at; users of a batch
FACTORS, CONFIDENCE, RIDGE = 32, 10.0, 10.0
STEPS = {"mf": 300, "ranking": 2, "als": 3}
Row = dict[str, Any]


@cache
def pairs(num_users: int, num_items: int, ratings: int) -> Tensor:
    """user * num_items + item (N,), sorted, each once: films by a Zipf law; a little less than ``ratings``."""
    draw = torch.Generator().manual_seed(0)
    popular = 1 / (torch.randperm(num_items, generator=draw) + num_items / 20)
    item = torch.cat(
        [torch.multinomial(popular, min(2**22, ratings - k), True, generator=draw) for k in range(0, ratings, 2**22)]
    )
    return (torch.randint(num_users, (ratings,), generator=draw) * num_items + item).unique()


class RandomRatings(Ratings):
    """Random ratings instead of a recipe's.

    Args:
        num_users, num_items: How many.
        ratings: How many, about.
        **more: See ``Ratings``.
    """

    def __init__(self, num_users: int, num_items: int, ratings: int, **more: Any) -> None:
        super().__init__(num_users, num_items, **more)
        self.ratings = ratings

    def interactions(self) -> Interactions:
        key = pairs(self.num_users, self.num_items, self.ratings)
        draw = torch.Generator().manual_seed(1)
        stars = torch.randint(1, 6, (len(key),), generator=draw).float()
        users, items = ([str(k) for k in range(size)] for size in (self.num_users, self.num_items))
        return Interactions(
            key // self.num_items, key % self.num_items, stars, torch.arange(len(key)), users, items, []
        )


# -- training -------------------------------------------------------------------------------------------------------


def recipe(num_users: int, num_items: int, ratings: int, *words: str) -> tuple[Any, Any]:
    """Model and data of ``recommender/mf`` on random ratings, at a fixed rate."""
    data = f"{RandomRatings.__module__}.{RandomRatings.__name__}"
    sizes = {"num_users": num_users, "num_items": num_items, "ratings": ratings, "batch_size": BATCH}
    given = [word for name, value in sizes.items() for word in (f"--data.{name}", str(value))]
    split = ["--data.feedback", "explicit", "--data.split", "random", "--model.lr_scheduler", "null"]
    return build(["recommender/mf", "--data", data, *given, *split, *words])[1:]


def train_ours(clock: Clock) -> None:
    """The recipe as ``dive fit`` runs it."""
    ours.fit(*recipe(USERS, ITEMS, RATINGS, "--model.embed_size", str(EMBED)), clock)


def rated() -> tuple[Tensor, Tensor]:
    """User and item (N, 2) and rating (N,)."""
    table = RandomRatings(USERS, ITEMS, RATINGS).interactions()
    return torch.stack([table.user, table.item], 1), table.rating


def train_bare(clock: Clock) -> None:
    """Whole batches by index, the same loss and penalty, the fused step."""
    x, y = rated()
    net = MatrixFactorization(USERS, ITEMS, embed_size=EMBED)
    optimizer = torch.optim.Adam(net.parameters(), RATE, fused=True)
    for index in clock.batches(lambda: torch.randperm(len(x)).split(BATCH)):
        batch = x[index]
        loss = (net(batch)[:, 0] - y[index]).square().mean() / 2 + PENALTY / 2 * net.squares(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clock.tick(len(index))


def train_d2l(clock: Clock) -> None:
    """In the manner of the book (D2L 21.3): a loader of single ratings, weight decay, the loss of each step kept."""
    x, y = rated()
    data = DataLoader(TensorDataset(x[:, 0], x[:, 1], y), BATCH, shuffle=True)
    net = MatrixFactorization(USERS, ITEMS, embed_size=EMBED)
    optimizer = torch.optim.Adam(net.parameters(), RATE, weight_decay=1e-5)
    total = [0.0, 0.0]
    for user, item, rating in clock.batches(lambda: data):
        loss = (net(torch.stack([user, item], 1))[:, 0] - rating).square() / 2
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        total = [total[0] + float(loss.detach().sum()), total[1] + len(loss)]
        clock.tick(len(loss))


# -- ranking --------------------------------------------------------------------------------------------------------


@cache
def ranked() -> tuple[Factors, Tensor, Tensor]:
    """A network; histories (U, L), padded with the number of items; a target of each user that it does not have."""
    key = pairs(USERS, ITEMS, RATINGS)
    rows = [key[key // ITEMS == user] % ITEMS for user in range(USERS)]
    longest = max(len(row) for row in rows)
    history = torch.full((USERS, longest), ITEMS)
    for user, row in enumerate(rows):
        history[user, : len(row) - 1] = row[1:]
    torch.manual_seed(0)
    return Factors(USERS, ITEMS).eval(), history, torch.stack([row[0] for row in rows])


def batches(clock: Clock) -> Iterator[Tensor]:
    """Users (B,), as often as the clock says."""
    for k in range(clock.total):
        yield torch.arange(k * RANKED, (k + 1) * RANKED) % USERS


@torch.inference_mode()
def rank_ours(clock: Clock) -> float:
    """All users of a batch at once: scores, the mask of what is seen, ranks, all metrics. Returns the hits."""
    net, history, target = ranked()
    metrics = RankingMetrics(ITEMS, (TOP,))
    for users in batches(clock):
        scores = net(users, history[users, :0])
        metrics.update(scores, target[users, None], unseen(history[users], ITEMS))
        clock.tick(len(users))
    return float(metrics.sums[0])


@torch.inference_mode()
def rank_d2l(clock: Clock) -> float:
    """In the manner of the book (D2L 21.5): one user at a time, its items from a loader, sorted as a list of pairs."""
    net, history, target = ranked()
    hits, areas = 0.0, []
    for users in batches(clock):
        for user in users.tolist():
            rest = sorted(set(range(ITEMS)) - set(history[user].tolist()))
            data = DataLoader(TensorDataset(torch.full((len(rest),), user), torch.tensor(rest)), 1024)
            scores: list[float] = []
            for one, items in data:
                scores.extend(net(one, one[:, None], items[:, None])[:, 0].tolist())
            order = [item for item, _ in sorted(zip(rest, scores, strict=True), key=lambda pair: -pair[1])]
            wanted = int(target[user])
            hits += len([item for item in order[:TOP] if item == wanted])
            areas.append(1 - order.index(wanted) / (len(order) - 1))
        clock.tick(len(users))
    return hits


# -- least squares --------------------------------------------------------------------------------------------------


def als_ours(clock: Clock) -> None:
    """Sweeps over users and items, each solved exactly in float64."""
    has = interaction_matrix(pairs(USERS, ITEMS, RATINGS), USERS, ITEMS)
    vectors = torch.randn(ITEMS, FACTORS, dtype=torch.float64)
    for _ in range(clock.total):
        users = least_squares(has, vectors, CONFIDENCE, RIDGE)
        vectors = least_squares(has.t(), users, CONFIDENCE, RIDGE)
        clock.tick(RATINGS)


def als_implicit(clock: Clock, exact: bool) -> None:
    """The library's iterations: exact ones, or its default, three steps of conjugate gradients."""
    import numpy as np
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_array, csr_matrix

    key = pairs(USERS, ITEMS, RATINGS).numpy()
    has = csr_matrix(csr_array((np.ones(len(key)), (key // ITEMS, key % ITEMS)), (USERS, ITEMS)))
    sizes = {"factors": FACTORS, "alpha": CONFIDENCE, "regularization": RIDGE, "dtype": np.float64}
    threads = torch.get_num_threads()
    model = AlternatingLeastSquares(**sizes, use_cg=not exact, iterations=clock.total, num_threads=threads)
    model.fit(has, show_progress=False, callback=lambda *_: clock.tick(RATINGS))


SIDES: dict[str, dict[str, Callable[[Clock], Any]]] = {
    "mf": {"bare": train_bare, "ours": train_ours, "d2l": train_d2l},
    "ranking": {"ours": rank_ours, "d2l": rank_d2l},
    "als": {
        "ours": als_ours,
        "implicit": partial(als_implicit, exact=True),
        "implicit's default": partial(als_implicit, exact=False),
    },
}


def measure(
    threads: int, repeats: int, say: Callable[[str], None], steps: dict[str, int] = STEPS, warmup: int = 1
) -> list[Row]:
    """Ratings, users or pairs a second of each side in each turn.

    Raises:
        RuntimeError: The two rankings have different hits.
    """
    torch.set_num_threads(threads)
    rows: list[Row] = []
    for workload, sides in SIDES.items():
        found = take_turns(workload, threads, sides, repeats, steps[workload], warmup, say)
        hits = [row.pop("losses", []) for row in found]
        if workload == "ranking" and hits[0] != hits[1]:
            raise RuntimeError(f"ranking: the sides have {hits} hits")
        rows += found
    return rows
