"""RWKV: a recurrent network that trains like a transformer, in its four generations.

Peng et al. 2023 (RWKV-4), 2024 (5.2 "Eagle", 6 "Finch"), 2025 (7 "Goose"); BlinkDL/RWKV-LM, BlinkDL/ChatRWKV. The first
values, learning rates and decay of the weights are part of the model, as its author insists: they are RWKV-LM's.

    dive fit rwkv/rwkv                             characters of Python's documentation, offline
    dive fit rwkv/rwkv --model.version 4           an earlier version
    dive generate rwkv/rwkv --prompt "The module"

Weights of BlinkDL's files load by ``--model.weights FILE.pth``; ``dive export`` writes such a file.
The numbers that the recipes reach are in RESULTS.md.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError, note
from lit_models.layers.precision import at_least_float32
from lit_models.rwkv import weights
from lit_models.rwkv.rwkv4 import TimeMix4
from lit_models.rwkv.rwkv5 import TimeMix5
from lit_models.rwkv.rwkv6 import TimeMix6
from lit_models.rwkv.rwkv7 import ChannelMix7, TimeMix7, ranks7
from lit_models.rwkv.skeleton import RWKV, ChannelMix, Sizes
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.trains import trains

#: Learning rates of single parameters in RWKV-LM, as factors.
RATES = {"att.w0": 2.0, "att.time_decay": 2.0, "att.time_first": 3.0}


class VersionedRWKV(RWKV):
    """The network of one version, with arguments that decide whether a file's weights fit.

    Args:
        version: 4, 5 (that is 5.2), 6 or 7.
        sizes: See ``Sizes``.
    """

    published_names = True

    def __init__(self, version: int, sizes: Sizes) -> None:
        time = {4: TimeMix4, 5: TimeMix5, 6: TimeMix6, 7: TimeMix7}[version]
        channel = ChannelMix7 if version == 7 else lambda own: ChannelMix(own, past=version == 6)
        super().__init__(version, sizes, time, channel)

    def sizes(self) -> dict[str, Any]:
        """The arguments that weights must fit."""
        names = ["vocab_size", "hidden_size", "num_layers", "ffn_size"] + ["head_size"] * (self.version > 4)
        names += ["ranks"] * (self.version > 5)
        return {"version": self.version} | {name: getattr(self.given, name) for name in names}

    def sizes_of(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Any]:
        """The same of a file's tensors."""
        return weights.sizes_of(tensors)

    def from_published(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """A file's tensors under the current names."""
        return weights.current_names(tensors, self.state_dict())

    def to_published(self) -> dict[str, Tensor]:
        """The tensors of a file that RWKV-LM and the ``rwkv`` package read."""
        if self.given.negative_eigenvalues:
            note("model.negative_eigenvalues is not in the file: programs that do not have it compute something else")
        return {name: tensor.detach().cpu().clone() for name, tensor in self.state_dict().items()}


def rwkv(
    vocab_size: int = 128,
    version: Literal[4, 5, 6, 7] = 7,
    hidden_size: int = 128,
    num_layers: int = 2,
    head_size: int = 64,
    ffn_size: int = 0,
    ranks: dict[str, int] | None = None,
    state_tuning: bool = False,
    negative_eigenvalues: bool = False,
) -> VersionedRWKV:
    """The network of a version.

    Args:
        vocab_size: Number V of tokens.
        version: 4, 5 (that is 5.2), 6 or 7.
        hidden_size: Width C.
        num_layers: Depth.
        head_size: Channels of a head: 64 in all published networks. Version 4 has no heads.
        ffn_size: Inner channels of the channel mixing; 0 means 4 C in versions 4 and 7, and 3.5 C, rounded down to 32s,
            in 5 and 6.
        ranks: Ranks of the low-rank matrices: ``mix`` and ``decay`` (6), ``w``, ``a``, ``v`` and ``g`` (7); those that
            are not given are upstream's.
        state_tuning: Train the state that a text begins with, and nothing else; versions 5 to 7.
        negative_eigenvalues: A token may turn the sign of an old value, not only remove it (version 7 only): such a
            network can count modulo 2. Other programs do not have it.
    """
    if negative_eigenvalues and version != 7:
        raise UserError(f"model.negative_eigenvalues is of version 7: RWKV-{version} does not have them")
    if state_tuning and version == 4:
        raise UserError("model.state_tuning trains a matrix of versions 5 to 7: RWKV-4 does not have one")
    usual = {6: {"mix": 32, "decay": 64}, 7: ranks7(hidden_size)}.get(version, {})
    if unknown := set(ranks or {}) - set(usual):
        raise UserError(f"model.ranks has {sorted(unknown)[0]!r}: version {version} has {', '.join(usual) or 'none'}")
    inner = ffn_size or (4 * hidden_size if version in (4, 7) else max(32, int(3.5 * hidden_size) // 32 * 32))
    sizes = Sizes(
        vocab_size,
        hidden_size,
        num_layers,
        1 if version == 4 else head_size,
        inner,
        {name: (ranks or {}).get(name, size) for name, size in usual.items()},
        state_tuning,
        negative_eigenvalues=negative_eigenvalues,
    )
    return VersionedRWKV(version, sizes)


@trains(rwkv)
class LitRWKV(LanguageModel):
    """RWKV trained as a language model, with RWKV-LM's groups of learning rates and decay.

    Args:
        l2_wrap: Strength of the pull on each token's largest logit toward 0 (1e-4 in RWKV-LM): it changes gradients,
            not the loss that is shown.
    """

    def __init__(self, l2_wrap: float = 1e-4, **task: Any) -> None:
        super().__init__(**task)
        self.l2_wrap = l2_wrap

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, targets = batch
        logits = at_least_float32(self.logits(tokens, "train"))
        real = targets != self.pad_id
        count = real.sum()
        total = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=self.pad_id, reduction="sum")
        loss = total / count.clamp(min=1)
        self.record_train_loss(loss, count)
        return l2_wrap(loss, logits.amax(-1)[real], self.l2_wrap)

    def log_bits(self, split: str, loss: Tensor) -> None:
        """Also logs the loss per word and per byte in nats, where the datamodule counts them (``units_per_token``)."""
        super().log_bits(split, loss)
        for unit, length in self.data_attribute("units_per_token", {}).get(split, {}).items():
            self.log(f"{split}/loss_per_{unit}", loss / length)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Weight decay on matrices only, also those of embedding and head; some vectors learn faster (``RATES``)."""
        base = self.optimizer([nn.Parameter(torch.zeros(()))]).defaults["lr"]
        groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
        for name, p in self.net.named_parameters():
            if p.requires_grad:
                matrix = name.endswith(".weight") and p.squeeze().ndim >= 2
                rate = next((factor for end, factor in RATES.items() if name.endswith(end)), 1.0)
                groups.setdefault((matrix, rate), []).append(p)
        return [
            {"params": own, "lr": rate * base} | ({} if matrix else {"weight_decay": 0.0})
            for (matrix, rate), own in groups.items()
        ]


def l2_wrap(loss: Tensor, largest: Tensor, strength: float = 1e-4) -> Tensor:
    """The same loss, whose gradient also pulls each token's largest logit m toward 0: by strength * m / n.

    RWKV-LM's "L2Wrap", in the form whose pull is scaled with the loss (older versions of it ignored the factor that
    accumulation and mixed precision put before a loss). It is the gradient of strength / 2 * mean(m^2), whose value is
    subtracted again. Tokens whose target is padding, which upstream does not have, are not counted.

    Args:
        loss: ().
        largest: The largest logit of each token that has a target, (n,).
        strength: 1e-4 in RWKV-LM; 0 has no effect.
    """
    if not strength:
        return loss
    pull = strength / 2 * largest.square().sum() / max(1, largest.numel())
    return loss + (pull - pull.detach())
