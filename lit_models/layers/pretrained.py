"""Loads weights, from a file or published by torchvision, into our networks by the names of their parameters.

``lit_models/layers/weight_files.py`` lists the file formats. Our networks name their parameters as torchvision's do, so
its files load without changes. A network class can declare:

- ``HEADS``: the layers that depend on the number of classes. If their shapes differ from the file's, they keep
  their initial values, with a note; if only one side has them (the auxiliary heads of GoogLeNet), they are skipped.
- ``rename(key)``: the current name of a parameter that has an older name in published files (DenseNet).
- ``from_published(tensors)``: published tensors under its own names, if renaming is not enough (GPT).
- ``published_names``: its own names are the published ones (BERT, RWKV): a file that has all of them may be published,
  so its arguments are compared and ``from_published`` completes it.
- ``sizes()`` and ``sizes_of(tensors, config)``: its own arguments, and those of the network that a file was made for,
  as far as they follow from its tensors and its ``config.json``. The number of heads does not change any shape: without
  this check, a file for four heads would load into a network with eight.

torchvision's classifiers were all trained on images normalized by ImageNet's mean and standard deviation
(``normalize``); with weights of a run of this project, images are normalized as in that run.
"""

from typing import Any

from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.tensor import DTensor

from common.messages import UserError, note
from lit_models.layers.weight_files import AROUND, WeightFile, read_weights, some

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue in [0, 1]
#: Arguments that a model takes from its data.
OF_DATA = ("vocab_size", "seq_len", "image_size", "in_channels", "num_classes", "num_features")
#: Arguments that may differ from the file's: new classes, other images, another training.
FREE = ("num_classes", "in_channels", "image_size")


def normalize(x: Tensor) -> Tensor:
    """Images (B, 3 or 1, H, W) in [0, 1], by ImageNet's mean and deviation; gray by their means over the colors."""
    mean, std = x.new_tensor(MEAN).view(3, 1, 1), x.new_tensor(STD).view(3, 1, 1)
    return (x - mean) / std if x.shape[1] == 3 else (x - mean.mean()) / std.mean()


def load_weights(net: nn.Module, source: str, arguments: dict[str, Any] | None = None) -> None:
    """Loads the weights named by ``source`` (``read_weights``) into ``net``; a new head keeps its initial values.

    A first convolution of one channel (gray images) gets the sum over the file's three channels.

    Args:
        net: The network.
        source: A file, a folder or a published name.
        arguments: Those that ``net`` was built with; compared with a run's, which its file has.

    Raises:
        UserError: As ``read_weights``; or the file is for a network with other arguments, keys or shapes, listed.
    """
    file = read_weights(source)
    found = with_own_prefix(net, file.tensors)
    if file.arguments:
        return put_run(net, file, arguments or {})
    if hasattr(net, "rename"):
        found = {net.rename(key): value for key, value in found.items()}  # type: ignore[operator]
    converts = hasattr(net, "from_published")
    published_names = getattr(net, "published_names", False)
    if converts and not published_names and set(net.state_dict()) <= set(found):  # saved by hand from such a network
        return put_weights(net, found, source)
    if hasattr(net, "sizes_of"):
        compare(net, net.sizes_of(found, file.config), source)  # type: ignore[operator]
    if converts:
        try:
            found = net.from_published(found)  # type: ignore[operator]
        except KeyError as error:
            raise UserError(f"weights: {source} lacks {error.args[0]}: not a {net.kind}") from None
    put_weights(net, found, source)


def with_own_prefix(net: nn.Module, found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Restores a prefix that ``read_weights`` removed as a wrapper's, if all names of the network begin with it."""
    names = list(net.state_dict())
    for prefix in AROUND:
        if names and all(name.startswith(prefix) for name in names) and not any(n.startswith(prefix) for n in found):
            return {prefix + name: value for name, value in found.items()}
    return found


def put_run(net: nn.Module, file: WeightFile, arguments: dict[str, Any]) -> None:
    """Loads the weights of a run, and prints which arguments of its network differ from ``arguments``."""
    other = {k: v for k, v in arguments.items() if k in file.arguments and file.arguments[k] != v and k != "weights"}
    try:
        put_weights(net, with_own_prefix(net, file.tensors), file.source)
    except UserError as error:
        model = f" It is of {file.model}" if file.model else ""
        remedy = f"; the run's network had {options({k: file.arguments[k] for k in other})}" if other else ""
        raise UserError(f"{error}.{model}{remedy}") from None
    for name, value in other.items():
        if name not in FREE and "dropout" not in name:
            note(f"{file.source} was trained with {name}={file.arguments[name]!r}, this network has {name}={value!r}")


def compare(net: nn.Module, theirs: dict[str, Any], source: str) -> None:
    """Refuses a file for a network with other arguments; the error lists the arguments that fit."""
    ours: dict[str, Any] = net.sizes()  # type: ignore[operator]
    other = {name: value for name, value in theirs.items() if name not in ours or not same(value, ours[name])}
    if other:
        both = [name for name in other if name in ours]
        differences = ", ".join(f"{name} is {other[name]} in the file, {ours[name]} here" for name in both)
        raise UserError(f"weights: {source} does not fit {type(net).__name__}: {differences}; give {options(other)}")


def same(a: Any, b: Any) -> bool:
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b)) if isinstance(a, float) else bool(a == b)


def options(arguments: dict[str, Any]) -> str:
    """Arguments as ``dive fit`` takes them."""

    def text(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "")

    return " ".join(f"--{'data' if n in OF_DATA else 'model'}.{n} {text(v)}" for n, v in arguments.items())


def put_weights(net: nn.Module, found: dict[str, Tensor], source: str) -> None:
    """Loads tensors that were read from ``source`` and have our names, as ``load_weights`` does."""
    own = net.state_dict()
    heads = tuple(f"{head}." for head in getattr(net, "HEADS", ()))
    free = ("num_batches_tracked", ".lora_a", ".lora_b")  # LoRA's small matrices begin with each training
    lacks = [k for k in own if k not in found and not k.startswith(heads) and not k.endswith(free)]
    extra = [k for k in found if k not in own and not f"{k}.".startswith(heads)]  # a head may be a parameter
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
    fitting: dict[str, Any] = {key: found[key] for key in own if key in found and key not in new}
    if any(isinstance(value, DTensor) for value in own.values()):  # FSDP: each process has a part
        set_model_state_dict(net, fitting, options=StateDictOptions(full_state_dict=True, strict=False))
    else:
        net.load_state_dict(fitting, strict=False)
