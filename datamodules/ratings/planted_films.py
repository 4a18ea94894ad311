"""A generated catalog of films and people with planted tastes: genres, eras, popularity, and what follows what.

A film has a genre, an era and a popularity (Zipf). A person likes two genres and one era; the next film that a person
watches is drawn by popularity and taste and, since films lead to others, six times of ten by the genre that follows
the genre before. Ratings are a line through taste, with noise. So each part can be learned by a model that has it:
popularity by counting, tastes from other people, the order from sequences.

What the generator itself knows is the ceiling: ``oracle`` ranks by the true probabilities. Titles are invented.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from datamodules.ratings.baseline import metrics, ranks_by
from datamodules.ratings.interactions import Interactions
from datamodules.ratings.ratings import Ratings, as_pairs

GENRES = ("comedy", "drama", "thriller", "adventure", "romance", "mystery", "western", "space")
ERAS = ((1941, 1959), (1960, 1974), (1975, 1989), (1990, 2004), (2005, 2019))
ADJECTIVES = {
    "comedy": ("Jolly", "Borrowed", "Clumsy", "Second-Best", "Talkative", "Unlikely", "Sunday", "Cheerful"),
    "drama": ("Quiet", "Broken", "Distant", "Unsent", "Winter", "Patient", "Last", "Forgiven"),
    "thriller": ("Hidden", "Cold", "Stolen", "Double", "Fatal", "Nameless", "Locked", "Seventh"),
    "adventure": ("Golden", "Lost", "Emerald", "Forbidden", "Roaring", "Boundless", "Sunken", "Great"),
    "romance": ("Tender", "Moonlit", "Accidental", "Faithful", "Blushing", "Velvet", "Endless", "First"),
    "mystery": ("Crooked", "Vanishing", "Whispering", "Painted", "Silent", "Midnight", "Missing", "Veiled"),
    "western": ("Dusty", "Lonesome", "Crimson", "Iron", "Wandering", "Bitter", "Thirsty", "High"),
    "space": ("Orbital", "Stellar", "Frozen", "Infinite", "Outer", "Magnetic", "Dark", "Ninth"),
}
NOUNS = {
    "comedy": ("Butler", "Umbrella", "Wedding", "Landlord", "Parrot", "Bakery", "Cousin", "Holiday"),
    "drama": ("Orchard", "Letter", "Harbor", "Daughter", "Bridge", "Promise", "Kitchen", "Teacher"),
    "thriller": ("Witness", "Cipher", "Passenger", "Alibi", "Courier", "Verdict", "Signal", "Ransom"),
    "adventure": ("Compass", "Temple", "Expedition", "Volcano", "Galleon", "Jungle", "Summit", "Map"),
    "romance": ("Serenade", "Bouquet", "Balcony", "Waltz", "Postcard", "Stranger", "Spring", "Duet"),
    "mystery": ("Portrait", "Staircase", "Clock", "Inspector", "Mirror", "Manuscript", "Chimney", "Guest"),
    "western": ("Canyon", "Saddle", "Sheriff", "Railroad", "Creek", "Mustang", "Prairie", "Drifter"),
    "space": ("Beacon", "Colony", "Airlock", "Comet", "Station", "Horizon", "Pilot", "Eclipse"),
}
NOISE = 0.6  # standard deviation of a rating around its line
CHAINED = 0.6  # how often a film leads to the next
FOLLOWS = 3.5  # how much more likely, as a logarithm, the genre is that follows
DAY = 86_400


class World(NamedTuple):
    """What the generator knows: genre (I,), era (I,), taste (U, I) logits, rating line (U, I)."""

    genre: np.ndarray
    era: np.ndarray
    taste: np.ndarray
    line: np.ndarray


def make_world(num_users: int, num_items: int, seed: int = 0) -> World:
    """Films and people."""
    random = np.random.default_rng(seed)
    genre, era = random.integers(len(GENRES), size=num_items), random.integers(len(ERAS), size=num_items)
    zipf = -0.7 * np.log(random.permutation(num_items) + 5.0)
    likes = random.normal(0, 0.4, (num_users, len(GENRES)))
    for row in likes:
        row[random.choice(len(GENRES), 2, replace=False)] += 2.0
    period = random.normal(0, 0.4, (num_users, len(ERAS)))
    period[np.arange(num_users), random.integers(len(ERAS), size=num_users)] += 1.5
    liking = likes[:, genre] + period[:, era]  # (U, I)
    line = 3.2 + random.normal(0, 0.4, num_users)[:, None] + random.normal(0, 0.4, num_items) + 0.6 * (liking - 1.2)
    return World(genre, era, zipf + liking, line)


def watch(world: World, shortest: int, longest: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Each person's films (U, longest) in order, and how many of them count (U,): draws without replacement."""
    random = np.random.default_rng(seed)
    num_users = len(world.taste)
    lengths = random.integers(shortest, longest + 1, size=num_users)
    left, seen = world.taste.copy(), np.zeros((num_users, longest), dtype=np.int64)
    everybody = np.arange(num_users)
    for step in range(longest):
        logits = left.copy()
        if step:
            chained = random.random(num_users) < CHAINED
            follows = following(world, seen[:, step - 1])
            logits += FOLLOWS * (chained[:, None] & follows)
        seen[:, step] = (logits + random.gumbel(size=logits.shape)).argmax(1)  # a draw from the softmax
        left[everybody, seen[:, step]] = -np.inf
    return seen, lengths


def following(world: World, before: np.ndarray) -> np.ndarray:
    """Which films (U, I) have the genre that follows that of the film before (U,)."""
    return world.genre == (world.genre[before] + 1)[:, None] % len(GENRES)


def invent_titles(world: World, seed: int = 2) -> list[str]:
    """A title for each film that reads like its genre, with a year of its era; no two are equal."""
    random = np.random.default_rng(seed)
    titles: dict[str, None] = {}  # in order
    for genre, era in zip(world.genre, world.era, strict=True):
        name, (first, last) = GENRES[genre], ERAS[era]
        count = len(titles)
        while len(titles) == count:
            adjective, noun = (str(random.choice(words[name])) for words in (ADJECTIVES, NOUNS))
            titles.setdefault(f"The {adjective} {noun} ({random.integers(first, last + 1)})")
    return list(titles)


class PlantedFilms(Ratings):
    """Generated people and films. Each person has ``shortest`` to ``longest`` ratings from 1 to 5.

    Args:
        num_users, num_items: How many.
        shortest, longest: Films of a person.
        **ratings: See ``Ratings``.
    """

    def __init__(
        self, num_users: int = 1000, num_items: int = 400, shortest: int = 20, longest: int = 50, **ratings: Any
    ) -> None:
        super().__init__(num_users, num_items, **ratings)
        self.shortest, self.longest = shortest, longest
        self.world = make_world(num_users, num_items)

    def interactions(self) -> Interactions:
        world = self.world
        seen, lengths = watch(world, self.shortest, self.longest)
        counts = np.arange(self.longest) < lengths[:, None]
        user, item = np.nonzero(counts)[0], seen[counts]
        random = np.random.default_rng(3)
        rating = (world.line[user, item] + random.normal(0, NOISE, len(user))).round().clip(1, 5)
        gaps = random.exponential(3 * DAY, counts.shape).astype(np.int64) + 60
        begins = 946_684_800 + random.integers(0, 5 * 365, (len(counts), 1)) * DAY  # from the year 2000 on
        time = (begins + gaps.cumsum(1))[counts]
        return Interactions(
            torch.from_numpy(user),
            torch.from_numpy(item),
            torch.from_numpy(rating).float(),
            torch.from_numpy(time),
            [str(k + 1) for k in range(self.num_users)],
            [str(k + 1) for k in range(self.num_items)],
            invent_titles(world),
        )

    def baselines(self) -> dict[str, dict[str, Any]]:
        return super().baselines() | {"ceiling": self.oracle()}

    def oracle(self) -> dict[str, Any]:
        """What the generator's own probabilities reach: the best order, the line without its noise."""
        if self.feedback == "explicit":
            pairs, y = (part.numpy() for part in as_pairs(self.splits["test"]))
            user, item = pairs.astype(np.int64).T
            error = y - self.world.line[user, item].clip(1, 5)
            errors = {"test/rmse": float(np.sqrt((error**2).mean())), "test/mae": float(np.abs(error).mean())}
            return {"what": "the line without its noise", "metrics": errors}
        rows, targets = self.splits["test"]
        hits, gains = [], []
        for (user, start, end), wanted in zip(rows.tolist(), targets.numpy(), strict=True):
            before = self.sequence[start:end].long().cpu().numpy()
            left = np.ones(self.num_items, dtype=bool)
            left[before] = False
            ranks = ranks_by(self.probabilities(user, before, left), left, wanted[wanted < self.num_items])
            hits.append(bool((ranks <= 10).any()))
            best = (1 / np.log2(np.arange(2, 2 + min(10, len(ranks))))).sum()
            gains.append((1 / np.log2(ranks[ranks <= 10] + 1)).sum() / best)
        return metrics("the true probabilities of the next film", hits, gains)

    def probabilities(self, user: int, before: np.ndarray, left: np.ndarray) -> np.ndarray:
        """The true probability (I,) of each film to be a person's next one."""
        plain = np.where(left, np.exp(self.world.taste[user]), 0)
        if not len(before) or self.split == "random":  # of a random split the next film is unknown
            return plain / plain.sum()
        chained = plain * np.exp(FOLLOWS * following(self.world, before[-1:])[0])
        return (1 - CHAINED) * plain / plain.sum() + CHAINED * chained / chained.sum()

    @property
    def genres(self) -> Tensor:
        """The genre (I,) of each film."""
        return torch.from_numpy(self.world.genre)
