"""Information: entropy, cross-entropy, Kullback-Leibler and Jensen-Shannon divergence, mutual information.

Shannon 1948; Kullback and Leibler 1951; Lin 1991. Goodfellow et al. 3.13; D2L 22.11.
Departs from the book: its ``nansum`` is a home-made one that turns the term 0 log 0 into 0 and every other NaN too;
here only 0 log 0 is 0, and what is not a distribution is refused. Its mutual information of a joint table mixes joint
and marginals of different tables. Everything here is in nats; divide by log 2 for bits.
"""

import torch
from torch import Tensor

from common.messages import UserError


def distribution(p: Tensor) -> Tensor:
    """The same tensor in double precision, if it is a distribution.

    Raises:
        UserError: A negative entry, or a sum other than 1.
    """
    p = p.double()
    if bool((p < 0).any()):
        raise UserError(f"a probability is {float(p.min()):.3g}: probabilities are at least 0")
    if abs(float(p.sum()) - 1) > 1e-6:
        raise UserError(f"the probabilities sum to {float(p.sum()):.6g}, not to 1: divide them by their sum")
    return p


def entropy(p: Tensor) -> Tensor:
    """-sum p log p (), of probabilities of any shape."""
    p = distribution(p)
    return -torch.xlogy(p, p).sum()


def cross_entropy(p: Tensor, q: Tensor) -> Tensor:
    """-sum p log q (): infinite where q is 0 and p is not."""
    p, q = distribution(p), distribution(q)
    return -torch.xlogy(p, q).sum()


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    """sum p log(p / q) (): what a code for q costs more than one for p; not symmetric."""
    return cross_entropy(p, q) - entropy(p)


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """The mean divergence of two distributions from their mean: symmetric, at most log 2."""
    middle = (distribution(p) + distribution(q)) / 2
    return (kl_divergence(p, middle) + kl_divergence(q, middle)) / 2


def mutual_information(joint: Tensor) -> Tensor:
    """I(X; Y) () of a joint table (X, Y): the divergence of the joint from the product of its marginals."""
    joint = distribution(joint)
    return kl_divergence(joint, joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True))


def conditional_entropy(joint: Tensor) -> Tensor:
    """H(Y | X) () of a joint table (X, Y)."""
    return entropy(joint) - entropy(joint.sum(1))


def gaussian_kl(mean_p: Tensor, std_p: Tensor, mean_q: Tensor, std_q: Tensor) -> Tensor:
    """KL(p || q) of Gaussians, elementwise: the term of a variational autoencoder.

    Raises:
        UserError: A standard deviation is not above 0.
    """
    for name, std in (("std_p", std_p), ("std_q", std_q)):
        if bool((std <= 0).any()):
            raise UserError(f"{name} has {float(std.min()):.3g}: a standard deviation is above 0")
    ratio = std_p / std_q
    return (ratio.square() + ((mean_p - mean_q) / std_q).square() - 1) / 2 - ratio.log()
