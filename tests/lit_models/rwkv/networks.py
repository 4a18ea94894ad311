"""Small networks with weights unlike the first ones, many of which are zero."""

import torch

from lit_models.rwkv.rwkv import VersionedRWKV, rwkv

VERSIONS = (4, 5, 6, 7)


def small(
    version: int, num_layers: int = 2, vocab_size: int = 11, hidden_size: int = 16, head_size: int = 8
) -> VersionedRWKV:
    """A network in float64 whose parameters all matter."""
    torch.manual_seed(version)
    ranks = {6: {"mix": 3, "decay": 4}, 7: {"w": 3, "a": 4, "v": 2, "g": 5}}.get(version)
    net = rwkv(vocab_size, version, hidden_size, num_layers, head_size, 24, ranks)  # type: ignore[arg-type]
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return net.double()
