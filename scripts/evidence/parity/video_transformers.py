"""TimeSformer and VideoMAE against transformers: our weights by their names, outputs, loss, gradients."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.video.timesformer import TimeSformer
from lit_models.video.videomae import VideoMAE
from lit_models.video.videomae_classifier import VideoMAEClassifier
from scripts.evidence.verify import Check, Tensors

SIZES: dict[str, Any] = {"image_size": 8, "patch_size": 4, "hidden_size": 8}


def randomized(make: Callable[[], nn.Module]) -> Any:
    """A network with random weights, in double precision; vectors too, so that no bias is zero."""
    torch.manual_seed(2)
    net = make().double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    return net


def gradients(net: nn.Module, x: Tensor) -> Tensors:
    assert x.grad is not None
    found: Tensors = {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return found | {"grad clips": x.grad}


def clips(channels: int, frames: int) -> Tensor:
    torch.manual_seed(1)
    return torch.rand(2, channels, frames, 8, 8, dtype=torch.float64, requires_grad=True)


# -- TimeSformer ------------------------------------------------------------------------------------------------------


def our_timesformer() -> TimeSformer:
    return randomized(lambda: TimeSformer(3, 5, 3, num_layers=2, num_heads=2, ffn_size=12, **SIZES))


def classified(net: nn.Module, x: Tensor, logits: Tensor) -> Tensors:
    F.cross_entropy(logits, torch.tensor([3, 1])).backward()
    return {"logits": logits.detach()} | gradients(net, x)


def ours_classified() -> Tensors:
    net, x = our_timesformer(), clips(3, 3)
    return classified(net, x, net(x))


def theirs_classified(mixed: bool = False) -> Tensors:
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    sizes: dict[str, Any] = {"num_labels": 5, "num_frames": 3, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes["intermediate_size"] = 12
    net = TimesformerForVideoClassification(TimesformerConfig(**SIZES, **sizes)).double().eval()
    net.load_state_dict(our_timesformer().state_dict())
    x = clips(3, 3)
    frames = x.reshape(2, 3, 3, 8, 8) if mixed else x.transpose(1, 2)  # (B, T, C, S, S)
    return classified(net, x, net(frames).logits)


# -- VideoMAE ---------------------------------------------------------------------------------------------------------

MASKED = {"num_layers": 2, "num_heads": 2, "ffn_size": 12, "decoder_size": 6, "decoder_layers": 1, "decoder_heads": 2}


def our_videomae() -> VideoMAE:
    sizes: dict[str, Any] = {**MASKED, **SIZES, "decoder_ffn_size": 10, "encoder_norm": True}
    return randomized(lambda: VideoMAE(1, 4, **sizes))


def hidden() -> Tensor:
    return our_videomae().tubes(2, 0.75, torch.Generator().manual_seed(3))


def ours_filled_in() -> Tensors:
    net, x = our_videomae(), clips(1, 4)
    predicted, loss = net(x, hidden()), net.loss(x.detach(), hidden())
    predicted.square().mean().backward()
    first = gradients(net, x)
    net.zero_grad()
    net.loss(clips(1, 4).detach(), hidden()).backward()
    found: Tensors = {f"grad of the loss {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"predictions": predicted.detach(), "loss": loss.detach()[None]} | first | found


def theirs_filled_in(tubes: bool = True) -> Tensors:
    from transformers import VideoMAEConfig, VideoMAEForPreTraining

    names: dict[str, Any] = {
        "num_channels": 1, "num_frames": 4, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
        "decoder_hidden_size": 6, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2,
        "decoder_intermediate_size": 10, "norm_pix_loss": True, "use_mean_pooling": False,
        "attn_implementation": "eager",
    }  # fmt: skip
    net = VideoMAEForPreTraining(VideoMAEConfig(**SIZES, **names)).double().eval()
    net.load_state_dict(our_videomae().state_dict())
    where = hidden() if tubes else hidden().roll(1, 1)
    x = clips(1, 4)
    net(x.transpose(1, 2), where).logits.square().mean().backward()
    first = gradients(net, x)
    net.zero_grad()
    out = net(x.detach().transpose(1, 2), where)
    out.loss.backward()
    found: Tensors = {f"grad of the loss {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"predictions": out.logits.detach(), "loss": out.loss.detach()[None]} | first | found


# -- VideoMAE as a classifier ------------------------------------------------------------------------------------------


def our_classifier() -> VideoMAEClassifier:
    return randomized(lambda: VideoMAEClassifier(1, 5, 4, num_layers=2, num_heads=2, ffn_size=12, **SIZES))


def ours_labeled(first: bool = False) -> Tensors:
    """``first``: the classes are read from the first patch instead of the mean."""
    net, x = our_classifier(), clips(1, 4)
    logits = net.classifier(net.fc_norm(net.videomae(x)[:, 0])) if first else net(x)
    return classified(net, x, logits)


def theirs_labeled() -> Tensors:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    names: dict[str, Any] = {
        "num_channels": 1, "num_frames": 4, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
        "num_labels": 5, "attn_implementation": "eager",
    }  # fmt: skip
    net = VideoMAEForVideoClassification(VideoMAEConfig(**SIZES, **names)).double().eval()
    net.load_state_dict(our_classifier().state_dict())
    x = clips(1, 4)
    return classified(net, x, net(x.transpose(1, 2)).logits)


CHECKS = [
    Check(
        name="video/timesformer",
        claim="TimeSformer against TimesformerForVideoClassification: by name, logits, all gradients",
        package="transformers",
        ours=ours_classified,
        reference=theirs_classified,
        control=partial(theirs_classified, mixed=True),
        mistake="channels read as frames: BCTHW taken for BTCHW",
    ),
    Check(
        name="video/videomae",
        claim="VideoMAE against VideoMAEForPreTraining: by name, predictions, loss, all gradients of both",
        package="transformers",
        ours=ours_filled_in,
        reference=theirs_filled_in,
        control=partial(theirs_filled_in, tubes=False),
        mistake="the patches beside the right ones hidden",
    ),
    Check(
        name="video/videomae_classifier",
        claim="VideoMAE's encoder as a classifier: by name, logits, all gradients",
        package="transformers",
        ours=ours_labeled,
        reference=theirs_labeled,
        control=partial(ours_labeled, first=True),
        mistake="the first patch in place of the mean",
    ),
]
