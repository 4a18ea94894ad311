"""The small networks of the theory chapters and their measures of information, against torch, NumPy and SciPy."""

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import stats
from sklearn.metrics import mutual_info_score
from torch import Tensor, distributions, nn

from lit_models.probability import information
from lit_models.probability.bias_variance import Polynomials
from lit_models.probability.mixture_density import MixtureDensity, log_density
from lit_models.probability.two_divergences import OneGaussian
from lit_models.probability.universal_approximation import RandomFeatures
from lit_models.probability.xor import XORNet
from scripts.evidence.parity.probability import draw, gradients, value
from scripts.evidence.verify import Check, Tensors

COUNTS = torch.tensor([[4.0, 1.0, 0.0, 7.0], [2.0, 9.0, 3.0, 1.0], [5.0, 5.0, 8.0, 2.0]], dtype=torch.float64)


def our_mixture_density() -> Tensors:
    net = MixtureDensity(1, 3, 4).double()
    loss = -log_density(net(draw(10, 1)), draw(10, seed=2)).mean()
    loss.backward()
    return {"loss": loss, **gradients(net)}


def torch_mixture_density(weighted: bool = True) -> Tensors:
    net = MixtureDensity(1, 3, 4).double()
    x = draw(10, 1)
    body: Any = net.body
    hidden = torch.tanh(body[2](torch.tanh(body[0](x))))
    logits, means, log_stds = net.head(hidden).chunk(3, 1)
    of = distributions.Categorical(logits=logits if weighted else 0 * logits)
    law = distributions.MixtureSameFamily(of, distributions.Normal(means, log_stds.exp()))
    loss = -law.log_prob(draw(10, seed=2)).mean()
    loss.backward()
    return {"loss": loss, **gradients(net)}


# -- networks of a line or two ----------------------------------------------------------------------------------------


def through(net: nn.Module, x: Tensor) -> Tensors:
    y = net(x)
    y.square().sum().backward()
    return {"y": y, **gradients(net)}


def our_networks() -> Tensors:
    x, line = draw(7, 2), draw(7, 1).tanh()
    nets = {"xor": (XORNet().double(), x), "gaussian": (OneGaussian().double(), line)}
    polynomials, features = Polynomials(4, 3).double(), RandomFeatures(2, 6).double()
    with torch.no_grad():
        polynomials.weight.copy_(draw(3, 5))
        features.weight.copy_(draw(7))
    nets |= {"polynomials": (polynomials, line), "features": (features, x)}
    return {label(key, name): t for key, (net, x) in nets.items() for name, t in through(net, x).items()}


def label(key: str, name: str) -> str:
    """``grad xor hidden.weight`` of xor and ``grad hidden.weight``."""
    return f"grad {key} {name.removeprefix('grad ')}" if name.startswith("grad ") else f"{key} {name}"


def numpy_networks(bias: bool = True) -> Tensors:
    """Values and gradients by NumPy and SciPy, of the networks that the same seed makes."""
    torch.manual_seed(0)
    x, line = draw(7, 2).numpy(), draw(7, 1).tanh().numpy()[:, 0]
    xor = {name: p.detach().numpy() for name, p in XORNet().double().named_parameters()}
    z = x @ xor["hidden.weight"].T + xor["hidden.bias"]
    h = np.maximum(z, 0)
    y = h @ xor["output.weight"].T + (xor["output.bias"] if bias else 0)
    back = 2 * y @ xor["output.weight"] * (z > 0)
    found = {
        "xor y": y,
        "grad xor hidden.weight": back.T @ x,
        "grad xor hidden.bias": back.sum(0),
        "grad xor output.weight": 2 * y.T @ h,
        "grad xor output.bias": 2 * y.sum(0),
    }
    log_p = stats.norm(1.5, 1.0).logpdf(line)
    found["gaussian y"] = log_p
    found["grad gaussian mean"] = np.array([np.sum(2 * log_p * (line - 1.5))])
    found["grad gaussian log_std"] = np.array([np.sum(2 * log_p * ((line - 1.5) ** 2 - 1))])
    weight = draw(3, 5).numpy()
    basis = np.polynomial.chebyshev.chebvander(line, 4)
    y = basis @ weight.T
    found |= {"polynomials y": y, "grad polynomials weight": 2 * y.T @ basis}
    OneGaussian().double(), Polynomials(4, 3).double()
    features = RandomFeatures(2, 6).double()
    z = np.maximum(x @ features.directions.numpy().T + features.offsets.numpy(), 0)
    z = np.concatenate([z, np.ones((7, 1))], 1)
    y = z @ draw(7).numpy()
    found |= {"features y": y[:, None], "grad features weight": 2 * y @ z}
    return {name: value(v) for name, v in found.items()}


# -- information ------------------------------------------------------------------------------------------------------


def our_information(bits: bool = False) -> Tensors:
    p, q = draw(6).softmax(0), draw(6, seed=2).softmax(0)
    joint = COUNTS / COUNTS.sum()
    unit = math.log(2) if bits else 1.0
    found = {
        "entropy": information.entropy(p),
        "kl": information.kl_divergence(p, q),
        "jensen_shannon": information.jensen_shannon(p, q),
        "mutual": information.mutual_information(joint),
        "gaussian": information.gaussian_kl(value(0.3), value(0.7), value(-0.2), value(1.4)),
    }
    return {name: v / unit for name, v in found.items()}


def scipy_information() -> Tensors:
    p, q = draw(6).softmax(0).numpy(), draw(6, seed=2).softmax(0).numpy()
    one, other = distributions.Normal(value(0.3), value(0.7)), distributions.Normal(value(-0.2), value(1.4))
    middle = (p + q) / 2
    found = {
        "entropy": stats.entropy(p),
        "kl": stats.entropy(p, q),
        "jensen_shannon": (stats.entropy(p, middle) + stats.entropy(q, middle)) / 2,
        "mutual": mutual_info_score(None, None, contingency=COUNTS.numpy()),
        "gaussian": distributions.kl_divergence(one, other),
    }
    return {name: value(v) for name, v in found.items()}


CHECKS = [
    Check(
        name="probability/mixture_density",
        claim="loss and gradients of a mixture density network against MixtureSameFamily",
        package="torch",
        ours=our_mixture_density,
        reference=torch_mixture_density,
        control=partial(torch_mixture_density, weighted=False),
        mistake="components of equal weight",
    ),
    Check(
        name="probability/networks",
        claim="XOR's network, a Gaussian, Chebyshev polynomials and random features, values and gradients by NumPy",
        package="numpy",
        ours=our_networks,
        reference=numpy_networks,
        control=partial(numpy_networks, bias=False),
        mistake="no bias in the output of XOR's network",
    ),
    Check(
        name="probability/information",
        claim="entropy, both divergences, mutual information and the divergence of Gaussians",
        package="scipy",
        ours=our_information,
        reference=scipy_information,
        control=partial(our_information, bits=True),
        mistake="bits in place of nats (D2L 22.11 computes in bits, the text in nats)",
        without="gradients: tables of numbers",
    ),
]
