"""Rotary scaling and ALiBi against transformers, quantized weights against torch."""

from functools import partial

import torch

from lit_models.layers.quantized_linear import QuantizedLinear
from lit_models.long_context.alibi import alibi_slopes
from lit_models.long_context.rotary_scaling import scaled_frequencies
from scripts.evidence.verify import Check, Tensors

# -- positions --------------------------------------------------------------------------------------------------------


def our_frequencies(temperature: bool = True) -> Tensors:
    found: Tensors = {}
    for kind in ("linear", "ntk", "yarn"):
        rates, scale = scaled_frequencies(64, 10_000.0, kind, 8.0, 2048, temperature)  # type: ignore[arg-type]
        found |= {kind: rates, f"{kind}, scale": torch.tensor(scale).double()}
    return found


def their_frequencies() -> Tensors:
    """transformers has the base of NTK for a text that grows (``dynamic``): factor 1, a text of 8 times the length."""
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    found: Tensors = {}
    for kind, name, factor in (("linear", "linear", 8.0), ("ntk", "dynamic", 1.0), ("yarn", "yarn", 8.0)):
        rope = {"rope_type": name, "factor": factor, "rope_theta": 10_000.0, "original_max_position_embeddings": 2048}
        config = LlamaConfig(hidden_size=128, num_attention_heads=2, max_position_embeddings=2048, rope_parameters=rope)
        rates, scale = ROPE_INIT_FUNCTIONS[name](config, torch.device("cpu"), seq_len=8 * 2048)
        found |= {kind: rates.double(), f"{kind}, scale": torch.tensor(scale).double()}
    return found


def our_slopes(power: float = 1.0) -> Tensors:
    return {str(heads): alibi_slopes(heads) ** power for heads in (1, 4, 6, 8, 12)}


def their_slopes() -> Tensors:
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    mask = torch.ones(1, 2, dtype=torch.long)  # at place 1 the bias is the slope
    return {str(n): build_alibi_tensor(mask, n, torch.float64)[:, 0, 1] for n in (1, 4, 6, 8, 12)}


# -- quantization -----------------------------------------------------------------------------------------------------


def rounded(bits: int) -> Tensors:
    linear = torch.nn.Linear(24, 5)
    return {"weight": QuantizedLinear(linear, bits).weight.double()}


def rounded_by_torch(most: int) -> Tensors:
    """``fake_quantize_per_channel_affine`` with a scale for each row."""
    weight = torch.nn.Linear(24, 5).weight.detach()
    scale = weight.abs().amax(1) / most
    zero = torch.zeros(5, dtype=torch.int32)
    return {"weight": torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -most, most).double()}


CHECKS = [
    Check(
        name="long_context/rotary_scaling",
        claim="Frequencies of linear, NTK-aware and YaRN scaling by 8, and YaRN's temperature",
        package="transformers",
        ours=our_frequencies,
        reference=their_frequencies,
        control=partial(our_frequencies, False),
        mistake="YaRN without its temperature",
        tolerance=1e-6,
        why="frequencies of transformers are in single precision",
        without="gradients: positions have none",
    ),
    Check(
        name="long_context/alibi",
        claim="ALiBi's slopes for 1, 4, 6, 8 and 12 heads against Bloom's",
        package="transformers",
        ours=our_slopes,
        reference=their_slopes,
        control=partial(our_slopes, 1.01),
        mistake="slopes to the power of 1.01",
        tolerance=1e-6,
        why="Bloom's slopes are in single precision",
        without="gradients: slopes have none",
    ),
    Check(
        name="long_context/quantized",
        claim="Weights in 8 bits, a scale for each row, against fake_quantize_per_channel_affine",
        package="torch",
        ours=partial(rounded, 8),
        reference=partial(rounded_by_torch, 127),
        control=partial(rounded_by_torch, 126),
        mistake="126 steps in place of 127",
        tolerance=1e-7,
        why="single precision",
        without="gradients: the weights are constants",
    ),
]
