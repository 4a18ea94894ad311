"""What the page asks a model: plausible suggestions, reasons that are parts of scores, similar films, questions."""

import sys
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.ratings.planted_films import GENRES
from lit_models.recommender.als import LitALS
from lit_models.recommender.autorec import LitAutoRec
from scripts.serve.models import Loaded
from scripts.serve.recommender.engine import engine_of, usable
from scripts.serve.recommender.suggest import five_stars
from tests.scripts.serve.recommender.planted import ITEMS, USERS, planted_data, planted_run

KINDS = ("mf", "ease")


def of_genre(genre: int, count: int) -> torch.Tensor:
    return (planted_data().genres == genre).nonzero()[:count, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_who_likes_a_genre_gets_it(kind: str) -> None:
    """By chance an eighth of the first films; the generator's people like two genres."""
    engine, found = engine_of(planted_run(kind)), []
    for genre in range(len(GENRES)):
        liked, disliked = of_genre(genre, 3), of_genre((genre + 3) % 8, 2)
        items, ratings = torch.cat([liked, disliked]), torch.tensor([5.0] * 3 + [1.0] * 2)
        scores = engine.scores(items, ratings).clone()
        scores[items] = -torch.inf
        found.append((planted_data().genres[scores.topk(3).indices] == genre).float().mean())
    assert torch.stack(found).mean() > (0.9 if kind == "mf" else 0.3)


def test_reasons_are_what_the_ratings_add() -> None:
    engine: Any = engine_of(planted_run())
    items, ratings = torch.cat([of_genre(0, 2), of_genre(1, 2)]), torch.tensor([5.0, 4.0, 5.0, 1.0])
    liked, parts = engine.parts(items, ratings, torch.arange(ITEMS))
    assert liked.tolist() == items[:3].tolist()  # what was disliked is no reason
    comedies = planted_data().genres == 0
    assert bool((parts[comedies].argmax(1) == 0).all())  # the better of the two comedies speaks for comedies


def test_a_film_that_few_rated_is_believed_less() -> None:
    engine: Any = engine_of(planted_run())
    items = of_genre(0, 6)
    ratings = torch.full((3,), 5.0)
    engine.counts[items[4]], engine.counts[items[5]] = 1, 1000
    engine.prepare("exact")
    scores = engine.scores(items[:3], ratings)
    base, person = float(engine.model.net.mean), float(scores[of_genre(1, 1)])
    assert base < person < scores[items[4]] < scores[items[5]]


def test_a_rankers_reason_is_the_score_without_it() -> None:
    engine: Any = engine_of(planted_run("ease"))
    items = torch.tensor([3, 7, 11])
    liked, parts = engine.parts(items, torch.full((3,), 5.0), torch.tensor([20, 21]))
    weight = engine.model.net.weight
    assert torch.allclose(parts, weight[items][:, [20, 21]].T, atol=1e-6) and liked.tolist() == items.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_similar_films_share_the_genre_more_often_than_chance(kind: str) -> None:
    engine, genres = engine_of(planted_run(kind)), planted_data().genres
    same = []
    for item in range(0, ITEMS, 4):
        scores = engine.similar(item).clone()
        scores[item] = -torch.inf
        same.append((genres[scores.topk(5).indices] == genres[item]).float().mean())
    assert torch.stack(same).mean() > (0.9 if kind == "mf" else 0.25)


def test_questions_are_of_many_genres_and_known_to_many() -> None:
    engine = engine_of(planted_run())
    asked = torch.tensor(engine.questions(torch.tensor([], dtype=torch.long), 8))
    assert len(planted_data().genres[asked].unique()) >= 6
    assert engine.counts[asked].mean() > engine.counts.mean()
    more = engine.questions(asked[:3], 8)
    assert not set(more) & set(asked[:3].tolist())


def test_a_fold_in_of_another_ranker_and_without_ratings() -> None:
    data = planted_data()
    model = LitALS(num_users=USERS, num_items=ITEMS)
    model.positives = data.positives
    engine: Any = engine_of(Loaded(model.eval(), data, planted_run().run, "recommender/als"))
    assert engine.scores(torch.tensor([1, 2]), torch.tensor([5.0, 4.0])).shape == (ITEMS,)
    nobody = torch.tensor([], dtype=torch.long)
    assert torch.equal(engine.scores(nobody, torch.tensor([])), engine.counts / USERS)  # popularity
    only_bad = engine.scores(torch.tensor([4]), torch.tensor([1.0]))
    assert torch.equal(only_bad, engine.counts / USERS)


def test_what_cannot_answer_new_people_is_refused() -> None:
    data = planted_data()
    assert usable(planted_run()) and usable(planted_run("ease"))
    assert not usable(Loaded(LitAutoRec(num_users=USERS), data, planted_run().run, "recommender/autorec"))
    assert not usable(Loaded(torch.nn.Linear(1, 1), object(), planted_run().run, "mlp/mlp"))


def test_stars_fit_the_scale() -> None:
    assert five_stars(1, 5) == five_stars(0.5, 5) == (1, 2, 3, 4, 5)
    assert five_stars(1, 10) == (1, 3.25, 5.5, 7.75, 10) and five_stars(-1, 1) == (-1, -0.5, 0, 0.5, 1)


def test_an_index_finds_nearly_all_of_the_best_and_none_that_is_rated() -> None:
    pytest.importorskip("faiss")
    from scripts.evidence.benches.serving import recall
    from scripts.evidence.benches.serving_site import generated

    assert recall(3000, people=40)["recall"] > 0.95
    exact, quick = (engine_of(generated(500), index) for index in ("exact", "faiss"))
    items, ratings = torch.tensor([3, 14, 15]), torch.tensor([5.0, 1.0, 4.0])
    best = exact.best(items, ratings, 497)
    found = quick.best(items, ratings, 497)
    assert set(found[0].tolist()) <= set(best[0].tolist()) and not set(found[0].tolist()) & {3, 14, 15}
    assert torch.allclose(found[1], exact.scores(items, ratings)[found[0]], atol=1e-5)
    assert found[1].tolist() == sorted(found[1].tolist(), reverse=True)
    allowed = torch.arange(500) == 7
    assert quick.best(items, ratings, 5, allowed)[0].tolist() == [7]


def test_an_index_that_cannot_be_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"which this environment lacks: pip install -e '.\[index\]'"):
        engine_of(planted_run(), "faiss")
    with pytest.raises(UserError, match="is for a vector per film, as recommender/mf has: leave it out"):
        engine_of(planted_run("ease"), "faiss")
