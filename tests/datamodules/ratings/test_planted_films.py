"""The generated films: popularity, tastes and order are where the generator says."""

import numpy as np

from datamodules.ratings.planted_films import GENRES, PlantedFilms, following, invent_titles, make_world, watch


def test_titles_are_all_different_and_have_a_year_of_their_era() -> None:
    world = make_world(10, 400)
    titles = invent_titles(world)
    assert len(set(titles)) == 400 and titles == invent_titles(world)
    assert all(title.startswith("The ") and 1941 <= int(title[-5:-1]) <= 2019 for title in titles)


def test_nobody_watches_a_film_twice_and_the_next_film_often_follows() -> None:
    world = make_world(200, 100)
    seen, lengths = watch(world, 10, 20)
    assert all(len(set(row)) == 20 for row in seen.tolist()) and 10 <= lengths.min() <= lengths.max() <= 20
    follows = following(world, seen[:, 0])[np.arange(200), seen[:, 1]].mean()
    assert follows > 2 / len(GENRES)


def test_probabilities_are_of_what_is_left_and_sum_to_one() -> None:
    data = PlantedFilms(num_users=20, num_items=30, shortest=5, longest=8)
    left = np.ones(30, dtype=bool)
    left[:10] = False
    p = data.probabilities(3, np.array([4, 2]), left)
    assert abs(p.sum() - 1) < 1e-9 and not p[:10].any() and (p[10:] > 0).all()
    assert len(data.genres) == 30


def test_popularity_falls_and_ratings_agree_with_taste() -> None:
    data = PlantedFilms(num_users=300, num_items=100, shortest=10, longest=20)
    table = data.interactions()
    counts = table.item.bincount(minlength=100).sort(descending=True).values
    assert int(counts[:20].sum()) > 2 * int(counts[-20:].sum())
    line = data.world.line[table.user, table.item]
    assert np.corrcoef(line, table.rating)[0, 1] > 0.7
