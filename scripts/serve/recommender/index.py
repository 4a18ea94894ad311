"""The films with the largest products with a vector, without a product with each: inverted lists of faiss.

The films are divided into lists around centers (k-means), and only the lists whose centers are nearest to a query are
searched; a film of another list is missed. Products become distances by one more number, sqrt(M^2 - |x|^2) with the
largest length M (Bachrach et al. 2014, "Speeding up the Xbox recommender system using a Euclidean transformation for
inner-product spaces"): lists by products themselves miss four times as many. `dive bench serve` measures the recall. It
pays from some ten thousand films on.
"""

import torch
from torch import Tensor

from common.messages import UserError

KINDS = ("exact", "faiss")
LISTS = 4  # times the square root of the number of films, as faiss' guide says
PROBED, LEAST = 0.1, 32  # of the lists are searched, and at least so many: recall 0.999 of 50,000 films
SAMPLED = 64  # films per list that the centers are made of


class FaissIndex:
    """An index of vectors (I, E).

    Args:
        vectors: Of the films.

    Raises:
        UserError: faiss is not installed.
    """

    def __init__(self, vectors: Tensor) -> None:
        try:
            import faiss
        except ImportError:
            lacks = "--index faiss needs faiss, which this environment lacks"
            raise UserError(f"{lacks}: pip install -e '.[index]', or leave --index out") from None
        self.vectors = vectors
        squares = vectors.square().sum(1)
        rest = (squares.max() - squares).sqrt()
        rows = torch.cat([vectors, rest[:, None]], 1).float().cpu().contiguous().numpy()
        lists = min(len(rows), int(LISTS * len(rows) ** 0.5))
        self.lists = faiss.IndexIVFFlat(faiss.IndexFlatL2(rows.shape[1]), rows.shape[1], lists)
        self.lists.cp.max_points_per_centroid, self.lists.cp.min_points_per_centroid = SAMPLED, 1
        self.lists.train(rows)
        self.lists.add(rows)
        self.lists.nprobe = min(lists, max(LEAST, round(PROBED * lists)))

    def best(self, query: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The numbers (k,) of the best films for a vector (E,), at most ``count``, and their products (k,)."""
        row = torch.cat([query, query.new_zeros(1)])[None].float().cpu().numpy()
        found = torch.from_numpy(self.lists.search(row, count)[1][0]).to(query.device)
        found = found[found >= 0]  # fewer films were in the lists
        products, order = (self.vectors[found] @ query).sort(descending=True)
        return found[order], products
