"""Measures of generated pictures, from features of real and of generated ones (N, D).

- ``frechet_distance``: between two Gaussians with the features' means and covariances. Heusel et al. 2017. With
  InceptionV3's features it is "FID"; with another network's it is a different number and needs that network's name,
  such as "FID (LeNet features)".
- ``kernel_distance``: the squared maximum mean discrepancy with a cubic kernel, without bias. Binkowski et al. 2018
  ("KID").
- ``precision_recall``: how many generated pictures are near real ones, and how many real ones near generated ones.
  Kynkaanniemi et al. 2019.

All of them depend on the number of pictures; the Fréchet distance of few is far too large. ``PictureScores`` therefore
reports the distance between two halves of the real pictures, ``fid_floor``, beside it: what is left to chance.

Departs from the papers: one estimate from all pictures instead of a mean over random subsets (KID).
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from common.messages import UserError
from lit_models.functional.point_measures import in_double


def frechet_distance(real: Tensor, fake: Tensor) -> Tensor:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2) of two sets of features (N, D), (M, D); a number.

    The square root of the product is taken of a symmetric matrix, whose eigenvalues are real and not negative, unlike
    the product's own.

    Raises:
        UserError: One of the sets has fewer than two rows.
    """
    if min(len(real), len(fake)) < 2:
        raise UserError(f"the Fréchet distance needs at least 2 pictures of each kind, not {len(real)}, {len(fake)}")
    real, fake = in_double(real), in_double(fake)
    values, vectors = torch.linalg.eigh(real.T.cov())
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    product = torch.linalg.eigvalsh(root @ fake.T.cov() @ root).clamp(min=0)
    spread = real.var(0).sum() + fake.var(0).sum() - 2 * product.sqrt().sum()
    return (real.mean(0) - fake.mean(0)).square().sum() + spread


def kernel_distance(real: Tensor, fake: Tensor) -> Tensor:
    """The squared maximum mean discrepancy of two sets of features, kernel (x.y / D + 1)^3; may be negative by chance.

    Raises:
        UserError: One of the sets has fewer than two rows.
    """
    n, m = len(real), len(fake)
    if min(n, m) < 2:
        raise UserError(f"the kernel distance needs at least 2 pictures of each kind, not {n}, {m}")

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    real, fake = in_double(real), in_double(fake)
    one, two = kernel(real, real), kernel(fake, fake)
    within = (one.sum() - one.trace()) / (n * (n - 1)) + (two.sum() - two.trace()) / (m * (m - 1))
    return within - 2 * kernel(real, fake).mean()


def kernel_distance_error(real: Tensor, fake: Tensor, parts: int = 10) -> Tensor:
    """The standard error of ``kernel_distance``, from its spread over disjoint parts of both sets of features.

    Each part has its own unbiased estimate; the error is their standard deviation, divided by the root of their number.
    It is an upper estimate where the two sets are hardly different, since few pictures have more chance in them.

    Raises:
        UserError: One of the sets has fewer than two rows for each part.
    """
    some = [x[: len(x) // parts * parts].chunk(parts) for x in (real, fake)]
    found = [kernel_distance(one, other) for one, other in zip(*some, strict=True)]
    return torch.stack(found).std() / parts**0.5


def precision_recall(real: Tensor, fake: Tensor, neighbors: int = 3) -> tuple[Tensor, Tensor]:
    """The fraction of ``fake`` in the balls around ``real``, and of ``real`` in the balls around ``fake``.

    A ball reaches to its center's neighbor number ``neighbors`` of the same kind.

    Raises:
        UserError: One of the sets has no such neighbor.
    """
    if min(len(real), len(fake)) <= neighbors:
        raise UserError(f"precision and recall need more than {neighbors} pictures of each kind")
    real, fake = in_double(real), in_double(fake)

    def radii(x: Tensor) -> Tensor:
        return distances(x, x).kthvalue(neighbors + 1, dim=1).values  # the nearest one is the point itself

    between = distances(real, fake)  # (N, M)
    precision = (between <= radii(real)[:, None]).any(0).double().mean()
    recall = (between <= radii(fake)[None, :]).any(1).double().mean()
    return precision, recall


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances of rows (N, D), (M, D) -> (N, M), from differences: those of equal rows are exactly zero."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def nearest(pictures: Tensor, among: Tensor) -> Tensor:
    """The row of ``among`` (M, ...) that each of ``pictures`` (N, ...) is most similar to, by squared error -> (N,)."""
    return distances(pictures.flatten(1), among.flatten(1)).argmin(1)


class PictureScores(Metric):
    """Collects features of real and generated pictures over batches and processes, and computes all measures of them.

    ``update`` with ``real=True`` or ``real=False``. ``compute`` returns ``fid``, ``fid_floor`` (between the two
    halves of the real pictures, multiplied by a half, since the distance of equal distributions falls as one over the
    number of pictures), ``kid``, ``precision``, ``recall`` and, where ``right`` was given, ``agreement``, the fraction
    of generated pictures in which an independent classifier sees the class that was asked for.

    Args:
        **metric: See ``torchmetrics.Metric``.
    """

    full_state_update = False
    real: Any
    fake: Any
    right: Any

    def __init__(self, **metric: Any) -> None:
        super().__init__(**metric)
        for name in ("real", "fake", "right"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, features: Tensor, real: bool, right: Tensor | None = None) -> None:
        """Adds a batch.

        Args:
            features: Of the pictures (B, D).
            real: Whether the pictures are real.
            right: Of generated pictures: whether the classifier sees the class that was asked for (B,).
        """
        (self.real if real else self.fake).append(features.detach().float())
        if right is not None:
            self.right.append(right.float())

    def compute(self) -> dict[str, Tensor]:
        real, fake = dim_zero_cat(self.real), dim_zero_cat(self.fake)
        precision, recall = precision_recall(real, fake)
        found = {
            "fid": frechet_distance(real, fake),
            "fid_floor": frechet_distance(real[::2], real[1::2]) / 2,
            "kid": kernel_distance(real, fake),
            "precision": precision,
            "recall": recall,
        }
        if len(self.right):
            found["agreement"] = dim_zero_cat(self.right).mean()
        return {name: value.float() for name, value in found.items()}
