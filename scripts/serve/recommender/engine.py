"""What the page asks a model, for a person who was not there in training: scores, reasons, similar films, questions.

Models are of two kinds. Matrix factorization (``LitMF``) predicts ratings: a person's vector is solved for in closed
form (``lit_models/functional/fold_in.py``), and what each rating adds to a score is a part of it. Rankers score what
goes with a history (``Ranker.scores`` of an unknown user): films that a person liked; what one of them adds is the
score with it minus the score without it.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.functional.fold_in import influence, informative, with_bias
from lit_models.functional.ranking import interaction_matrix
from lit_models.recommender.mf import LitMF, MatrixFactorization
from lit_models.tasks.ranker import Ranker
from scripts.serve.models import Loaded
from scripts.serve.recommender.index import FaissIndex

DIRECTIONS = 16  # of the films' vectors where a model has none
KNOWN = 2000  # most popular films, of which questions are chosen
ASKED = (6, 24, 96, 384)  # questions are chosen so many at once, and kept: a page that is asked for again is free
DOUBT = 5  # ratings of a film with which half of what is personal in its score is believed
REASONS = 40  # films of a history that are looked at as reasons


def usable(loaded: Loaded) -> bool:
    """Whether a run is a recommender that has scores for new people (not AutoRec, which has inputs for known ones)."""
    model = loaded.model
    if not getattr(loaded.data, "item_names", None):
        return False
    return isinstance(model, Ranker) or (isinstance(model, LitMF) and isinstance(model.net, MatrixFactorization))


class Engine:
    """What is asked of a run. Items are the model's numbers.

    Args:
        loaded: The run.
        index: How the best films are found: ``exact``, by the scores of all, or ``faiss``.
    """

    predicts_ratings = False

    def __init__(self, loaded: Loaded, index: str = "exact") -> None:
        self.model: Any = loaded.model
        self.names: list[str] = [str(name) for name in loaded.data.item_names]
        self.titles: list[str] = [str(title) for title in (loaded.data.titles or self.names)]
        if len(self.names) > self.model.num_items:
            raise UserError(f"{loaded.run} has {len(self.names)} films, its model {self.model.num_items}")
        low, high = float(loaded.data.min_rating), float(loaded.data.max_rating)
        self.scale = (low, high) if high - low >= 1 else (1.0, 5.0)  # views and purchases have no scale of their own
        self.counts = (self.model.positives % self.model.num_items).bincount(minlength=self.model.num_items).float()
        self.vectors = self.item_vectors()
        most = self.counts[: len(self.names)].topk(min(KNOWN, len(self.names))).indices
        self.known = most.sort().values
        self.chosen = lru_cache(256)(self.design)
        self.prepare(index)

    def prepare(self, index: str) -> None:
        """What a kind needs besides.

        Raises:
            UserError: There is no such index for it.
        """
        if index != "exact":
            raise UserError(f"--index {index} is for a vector per film, as recommender/mf has: leave it out")

    @property
    def middle(self) -> float:
        """A rating from this one on is a liking."""
        return sum(self.scale) / 2

    def item_vectors(self) -> Tensor:
        """Vectors x (I, E) in which films that the same people have are near."""
        model = self.model
        matrix = interaction_matrix(model.positives, model.num_users, model.num_items).float()
        size = min(DIRECTIONS, *matrix.shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, values, vectors = torch.svd_lowrank(matrix, size)
        x = vectors * values
        return with_bias(x / x.square().sum(1).mean().sqrt().clamp(min=1e-9))

    def questions(self, rated: Tensor, count: int) -> list[int]:
        """Films to ask about first: known to many, and telling most about a taste beside what is rated (n,)."""
        size = next((size for size in ASKED if size >= count), count)
        return self.chosen(tuple(sorted(rated.tolist())), size)[:count]

    @torch.inference_mode()
    def design(self, rated: tuple[int, ...], count: int) -> list[int]:
        """The same for any count. Each one is chosen beside those before, so the first ones do not depend on it."""
        rest = self.counts[self.known]
        weight = ((rest + 1) / (rest.max() + 1)).sqrt()
        items = torch.tensor(rated, dtype=torch.long, device=self.known.device)
        places = torch.isin(self.known, items).nonzero()[:, 0]
        found = informative(self.vectors[self.known], weight, places, count)
        return self.known[found].tolist()

    @torch.inference_mode()
    def best(self, items: Tensor, ratings: Tensor, count: int, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The best films (k,) for who rated these, the best first, and their scores (k,).

        Args:
            items, ratings: As for ``scores``; what is rated is not among the best.
            count: k, at most.
            allowed: Which films (I,) may be; None means all.
        """
        scores = self.scores(items, ratings)[: len(self.names)].clone()
        scores[items] = -torch.inf
        if allowed is not None:
            scores[~allowed] = -torch.inf
        values, places = scores.topk(min(count, len(scores)))
        real = values > -torch.inf
        return places[real], values[real]

    # -- of each kind -------------------------------------------------------------------------------------------------

    def scores(self, items: Tensor, ratings: Tensor) -> Tensor:
        """The score (I,) of each film for who rated these items (n,) so (n,), the newest last."""
        raise NotImplementedError

    def parts(self, items: Tensor, ratings: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Rated items (m,) that are reasons, and what each adds to the score of the candidates (K, m)."""
        raise NotImplementedError

    def similar(self, item: int) -> Tensor:
        """How similar each film is to one (I,)."""
        raise NotImplementedError


class Explicit(Engine):
    """Matrix factorization of ratings.

    The vector of a film that few people rated is mostly the random one it began with: what it adds to the score is
    multiplied by n / (n + 5), for n ratings.
    """

    predicts_ratings = True

    def prepare(self, index: str) -> None:
        """A matrix (I, E): the trusted vectors, and mean and bias; a score is one product with it."""
        base = self.model.net.mean + self.model.net.item_bias.weight[:, 0]
        self.trust = self.counts / (self.counts + DOUBT)
        self.matrix = torch.cat([self.trust[:, None] * self.vectors[:, 1:], base[:, None]], 1)
        self.index = FaissIndex(self.matrix[: len(self.names)]) if index == "faiss" else None

    def item_vectors(self) -> Tensor:
        return with_bias(self.model.net.item.weight)

    def solved(self, items: Tensor, ratings: Tensor) -> tuple[Tensor, Tensor]:
        """``influence`` (E, n) and residuals (n,)."""
        return influence(self.vectors[items], max(self.model.penalty, 1e-3)), ratings - self.matrix[items, -1]

    def query(self, items: Tensor, ratings: Tensor) -> tuple[Tensor, Tensor]:
        """A person as a vector (E,), whose product with a row of the matrix is a score without the person's bias ()."""
        query = self.matrix.new_zeros(self.matrix.shape[1])
        query[-1], bias = 1, query.new_zeros(())
        if len(items):
            moved, residuals = self.solved(items, ratings)
            person = moved @ residuals
            query[:-1], bias = person[1:], person[0]
        return query, bias

    @torch.inference_mode()
    def scores(self, items: Tensor, ratings: Tensor) -> Tensor:
        query, bias = self.query(items, ratings)
        return self.matrix @ query + bias

    @torch.inference_mode()
    def best(self, items: Tensor, ratings: Tensor, count: int, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.index is None or allowed is not None:
            return super().best(items, ratings, count, allowed)
        query, bias = self.query(items, ratings)
        places, products = (part.to(items.device) for part in self.index.best(query, count + len(items)))
        left = ~torch.isin(places, items)
        return places[left][:count], products[left][:count] + bias

    @torch.inference_mode()
    def parts(self, items: Tensor, ratings: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        moved, residuals = self.solved(items, ratings)
        # the bias is a person's mildness, not a reason for one film
        without = self.vectors[candidates][:, 1:] @ moved[1:] * residuals
        liked = ratings >= self.middle
        return items[liked], self.trust[candidates, None] * without[:, liked]

    @torch.inference_mode()
    def similar(self, item: int) -> Tensor:
        x = self.model.net.item.weight
        x = x / x.norm(dim=1, keepdim=True).clamp(min=1e-9)
        return x @ x[item]


class ByHistory(Engine):
    """A ranker: films that go with what a person liked."""

    def scores_of(self, histories: Tensor) -> Tensor:
        """Scores (B, I) of new people with these histories (B, L)."""
        users = torch.full((len(histories),), self.model.num_users, device=histories.device)
        return self.model.scores(users, histories)

    @torch.inference_mode()
    def scores(self, items: Tensor, ratings: Tensor) -> Tensor:
        liked = items[ratings >= self.middle]
        if not len(liked):
            return self.counts / self.model.num_users
        return self.scores_of(liked[None])[0]

    @torch.inference_mode()
    def parts(self, items: Tensor, ratings: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        liked = items[ratings >= self.middle]
        reasons = liked[-REASONS:]
        if len(liked) < 2:
            return reasons, torch.ones(len(candidates), len(reasons))
        start = len(liked) - len(reasons)
        rows = [torch.cat([liked[: start + k], liked[start + k + 1 :]]) for k in range(len(reasons))]
        padded = torch.stack([liked, *(torch.cat([row.new_full((1,), self.model.num_items), row]) for row in rows)])
        found = self.scores_of(padded)[:, candidates]  # the padding is in front
        return reasons, (found[0] - found[1:]).T

    @torch.inference_mode()
    def similar(self, item: int) -> Tensor:
        return self.scores_of(torch.tensor([[item]], device=self.counts.device))[0]


def engine_of(loaded: Loaded, index: str = "exact") -> Engine:
    """The engine for a run."""
    return Explicit(loaded, index) if isinstance(loaded.model, LitMF) else ByHistory(loaded, index)
