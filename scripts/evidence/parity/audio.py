"""Networks on sound against independent implementations: the spectrogram, and each network layer by layer."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.audio.mel_cnn import MelCNN
from lit_models.audio.spec_augment import SpecAugment
from lit_models.audio.spectrogram import LogMel
from lit_models.audio.wave_cnn import WaveCNN
from scripts.evidence.verify import Check, Tensors


def sounds(length: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, length, generator=generator, dtype=torch.float64).requires_grad_()
    return x, torch.tensor([3, 1, 4, 1])


def quantities(net: Any, parameters: Mapping[str, Tensor], length: int) -> Tensors:
    """Logits, and the gradients of the cross-entropy by the waveforms and ``parameters``, in training mode."""
    x, y = sounds(length)
    logits = net(x)
    F.cross_entropy(logits, y).backward()
    found: Any = {"logits": logits, "grad waveforms": x.grad}
    return found | {f"grad {name}": p.grad for name, p in parameters.items()}


# -- the waveform ---------------------------------------------------------------------------------------------------


def wave() -> WaveCNN:
    torch.manual_seed(2)
    return WaveCNN(num_classes=10, depth="m11", width=0.1).double()


def our_wave() -> Tensors:
    net = wave()
    return quantities(net, dict(net.named_parameters()), 1024)


def wave_by_windows(pool: int) -> Tensors:
    """M11 as the paper's table 1 lists it, each convolution a matrix product over unfolded windows."""
    weights = {name: p.detach().clone().requires_grad_() for name, p in wave().named_parameters()}
    names = sorted({int(name.split(".")[1]) for name in weights if name.startswith("features")})
    convolutions, groups = names[0::2], (1, 2, 2, 3, 2)

    def net(x: Tensor) -> Tensor:
        x, layer = x[:, None], iter(convolutions)
        for group, count in enumerate(groups):
            for _ in range(count):
                k = next(layer)
                first = k == 0
                x = F.pad(x, (38, 38) if first else (1, 1)).unfold(2, 80 if first else 3, 4 if first else 1)
                x = torch.einsum("bctk,ock->bot", x, weights[f"features.{k}.weight"])
                mean, variance = x.mean((0, 2), keepdim=True), x.var((0, 2), keepdim=True, correction=0)
                gain, bias = (weights[f"features.{k + 1}.{kind}"][:, None] for kind in ("weight", "bias"))
                x = torch.clamp((x - mean) / torch.sqrt(variance + 1e-5) * gain + bias, min=0)
            if group < 4:
                x = x.unfold(2, pool, 4).amax(3)
        return x.mean(2) @ weights["head.weight"].T + weights["head.bias"]

    return quantities(net, weights, 1024)


# -- the spectrogram ------------------------------------------------------------------------------------------------


def our_log_mel(scale: str) -> Tensors:
    x, _ = sounds(2000)
    front = LogMel(8000, n_fft=256, hop=80, n_mels=30, scale=scale)  # type: ignore[arg-type]
    front.filters = front_filters(scale)  # the buffer is float32, which is not what is compared
    y = front(x)
    (gradient,) = torch.autograd.grad(y.square().mul(torch.linspace(0, 1, y.shape[3], dtype=x.dtype)).sum(), x)
    return {"spectrogram": y.detach(), "grad waveforms": gradient}


def front_filters(scale: str) -> Tensor:
    from lit_models.audio.spectrogram import mel_filters

    return mel_filters(256, 30, 8000, scale=scale)  # type: ignore[arg-type]


def their_log_mel(scale: str, filters_of: str = "") -> Tensors:
    """torch.stft, the filters of transformers, and an independent normalization."""
    from transformers.audio_utils import mel_filter_bank

    kind = filters_of or scale
    norm = "slaney" if kind == "slaney" else None
    filters = torch.from_numpy(mel_filter_bank(129, 30, 0.0, 4000.0, 8000, norm=norm, mel_scale=kind))
    x, _ = sounds(2000)
    window = torch.hann_window(256, dtype=x.dtype)
    power = torch.view_as_real(torch.stft(x, 256, 80, window=window, return_complex=True)).square().sum(3)
    mel = torch.einsum("bft,fm->bmt", power, filters)
    log = torch.log(mel + 1e-6 * mel.flatten(1).max(1).values[:, None, None] + 1e-20).flatten(1)
    centered = log - log.mean(1, keepdim=True)
    y = (centered / (centered.square().mean(1, keepdim=True).sqrt() + 1e-5)).view_as(mel)[:, None]
    (gradient,) = torch.autograd.grad(y.square().mul(torch.linspace(0, 1, y.shape[3], dtype=x.dtype)).sum(), x)
    return {"spectrogram": y.detach(), "grad waveforms": gradient}


# -- the 2-D network ------------------------------------------------------------------------------------------------


def mel() -> MelCNN:
    torch.manual_seed(2)
    return MelCNN(10, LogMel(8000), SpecAugment(num_masks=0), channels=(4, 6, 8)).double()


def our_mel() -> Tensors:
    net = mel()
    return quantities(net, dict(net.named_parameters()), 2000)


def mel_by_windows(time_first: bool) -> Tensors:
    """The blocks as matrix products over unfolded windows; the head over (channel, band), or over (band, channel)."""
    front = LogMel(8000).double()
    weights = {name: p.detach().clone().requires_grad_() for name, p in mel().named_parameters()}

    def net(x: Tensor) -> Tensor:
        x = front(x)
        for block in range(3):
            kernel = weights[f"features.{4 * block}.weight"]
            columns = kernel.flatten(1) @ F.unfold(x, 3, padding=1)
            x = columns.view(len(x), len(kernel), *x.shape[2:])
            gain, bias = (weights[f"features.{4 * block + 1}.{kind}"] for kind in ("weight", "bias"))
            x = F.batch_norm(x, None, None, gain, bias, training=True)
            x = torch.relu(x).unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
        x = x.mean(3)  # (B, C, bands)
        x = (x.transpose(1, 2) if time_first else x).flatten(1)
        return F.linear(x, weights["head.weight"], weights["head.bias"])

    return quantities(net, weights, 2000)


CHECKS = [
    Check(
        name="audio/wave_cnn",
        claim="M11 on waveforms, training mode, each convolution as a product over windows",
        package="torch",
        ours=our_wave,
        reference=partial(wave_by_windows, pool=4),
        control=partial(wave_by_windows, pool=3),
        mistake="poolings of three samples with stride four",
    ),
    *(
        Check(
            name=f"audio/log_mel_{scale}",
            claim=f"log-mel spectrogram ({scale}): torch.stft and the filters of transformers",
            package="transformers",
            ours=partial(our_log_mel, scale),
            reference=partial(their_log_mel, scale),
            control=partial(their_log_mel, scale, filters_of=other),
            mistake=f"the filters of the {other} scale",
        )
        for scale, other in (("htk", "slaney"), ("slaney", "htk"))
    ),
    Check(
        name="audio/mel_cnn",
        claim="the network on spectrograms, training mode, its blocks as products over windows",
        package="torch",
        ours=our_mel,
        reference=partial(mel_by_windows, time_first=False),
        control=partial(mel_by_windows, time_first=True),
        mistake="bands before channels in front of the dense layer",
    ),
]
