"""Weights from a file, or published by torchvision, into a network of ours by the names of its parameters.

Our networks name their parameters as torchvision's do, so its files load as they are. What a network says of itself:

- ``HEADS``: the layers that depend on the number of classes. Where their shapes differ from the file's they stay as
  they were drawn, with a note; where one side lacks them (the auxiliary heads of GoogLeNet) they are left out.
- ``rename(key)``: the present name of a parameter that published files know by an older one (DenseNet).
- ``from_published(tensors)``: published tensors under its own names, where a new name alone does not do it (GPT).

torchvision's classifiers were all trained on images normalized by ImageNet's mean and standard deviation
(``normalize``).
"""

import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from common.messages import UserError, note

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue in [0, 1]
SHOWN = 3  # keys named in a message


def normalize(x: Tensor) -> Tensor:
    """Images (B, 3 or 1, H, W) in [0, 1], by ImageNet's mean and deviation; gray by their means over the colors."""
    mean, std = x.new_tensor(MEAN).view(3, 1, 1), x.new_tensor(STD).view(3, 1, 1)
    return (x - mean) / std if x.shape[1] == 3 else (x - mean.mean()) / std.mean()


def read_weights(source: str) -> dict[str, Tensor]:
    """The tensors of a ``.pth`` or ``.safetensors`` file, or of a name such as ``ResNet18_Weights.IMAGENET1K_V1``.

    Raises:
        UserError: No such file or name, no network, or the file holds no state dict.
    """
    if os.path.isfile(source):
        return _read_file(source)
    from torchvision.models import get_weight

    try:
        published: Any = get_weight(source)
    except (ValueError, TypeError):  # torchvision meets a name such as resnet18.pth with either
        raise UserError(
            f"weights: there is no file {source}, and torchvision has no weights of that name (names are like "
            "ResNet18_Weights.IMAGENET1K_V1)"
        ) from None
    try:
        return dict(published.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"weights: cannot download {published.url} ({error}): fetch it elsewhere and give the file's path"
        ) from None


def _read_file(path: str) -> dict[str, Tensor]:
    try:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, pickle, zipfile and safetensors raise a dozen kinds
        raise UserError(f"weights: {path} is no file of weights ({str(error).splitlines()[0][:80]})") from None
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"weights: {path} holds no state dict: save one with torch.save(network.state_dict(), FILE)")
    return content


def load_weights(net: nn.Module, source: str) -> None:
    """Loads the weights named by ``source`` (``read_weights``) into ``net``; a new head stays as it was drawn.

    A first convolution of one channel (gray images) takes the sum over a file's three.

    Raises:
        UserError: As ``read_weights``; or other keys or shapes than the network's outside of its head, listed.
    """
    found = read_weights(source)
    if hasattr(net, "rename"):
        found = {net.rename(key): value for key, value in found.items()}  # type: ignore[operator]
    if hasattr(net, "from_published"):
        try:
            found = net.from_published(found)  # type: ignore[operator]
        except KeyError as error:
            raise UserError(f"weights: {source} lacks {error.args[0]}: not a {net.kind}") from None
    put_weights(net, found, source)


def put_weights(net: nn.Module, found: dict[str, Tensor], source: str) -> None:
    """Loads tensors under our names, which came from ``source``, as ``load_weights`` does."""
    own = net.state_dict()
    heads = tuple(f"{head}." for head in getattr(net, "HEADS", ()))
    lacks = [k for k in own if k not in found and not k.startswith(heads) and not k.endswith("num_batches_tracked")]
    extra = [k for k in found if k not in own and not k.startswith(heads)]
    other: list[str] = []
    new: list[str] = []
    for key in own.keys() & found.keys():
        have, want = found[key].shape, own[key].shape
        if have[1:2] == (3,) and want == (have[0], 1, *have[2:]):
            found[key] = found[key].sum(1, keepdim=True)
            note(f"{source}: {key} is summed over its three colors for gray images")
        elif have != want:
            (new if key.startswith(heads) else other).append(key)
    shapes = [f"{k} ({list(found[k].shape)} in the file, {list(own[k].shape)} here)" for k in sorted(other)]
    if wrong := [
        f"{what} {some(keys)}"
        for what, keys in (("it lacks", lacks), ("it has also", extra), ("other shapes:", shapes))
        if keys
    ]:
        raise UserError(f"weights: {source} does not fit {type(net).__name__}: {'; '.join(wrong)}")
    if new:
        note(f"{source}: {some(sorted(new))} are for another number of classes: left as they were drawn")
    fitting = {key: found[key] for key in own.keys() & found.keys() if key not in new}
    net.load_state_dict(fitting, strict=False)


def some(items: Iterable[str]) -> str:
    """The first few of several names."""
    items = list(items)
    return ", ".join(items[:SHOWN]) + (f" and {len(items) - SHOWN} more" if len(items) > SHOWN else "")
