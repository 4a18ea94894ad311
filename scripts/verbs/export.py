"""``dive export RECIPE``: the network of a run as files that other programs read.

    dive export RECIPE [--run DIR | --ckpt_path FILE] [--out DIR]     default: the best checkpoint of the newest run

What lands in ``DIR`` (by default ``export/`` in the run's folder):

    model.safetensors   the weights; class and arguments stand in its metadata, reading it runs no code
    model.pt2           the network as a graph (torch.export), which runs without this project's code
    example.safetensors an input and the network's output for it
    model.ckpt          only of a sharded checkpoint (-c trainer/fsdp): one file for `dive test --ckpt_path`

``load_network("model.safetensors")`` builds the network again; ``torch.export.load("model.pt2").module()`` needs torch
alone.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_model, save_file, save_model
from torch import Tensor, nn

from callbacks.atomic_checkpoint import AtomicCheckpoint
from common.messages import UserError
from scripts.front.arguments import resolve
from scripts.front.build import build_command
from scripts.front.checkpoints import is_sharded, read_checkpoint
from scripts.front.working_directory import add_working_directory


def network_of(model: nn.Module) -> nn.Module:
    """The part of a LightningModule that is the network: its ``net``, or all of it."""
    net = getattr(model, "net", None)
    return net if isinstance(net, nn.Module) else model


def save_network(model: Any, path: Path) -> None:
    """Writes weights, class and arguments of a LightningModule's network.

    Raises:
        UserError: An argument is no plain value.
    """
    arguments = {key: value for key, value in dict(model.hparams).items() if not key.startswith("_")}
    try:
        text = json.dumps(arguments)
    except TypeError as error:
        raise UserError(f"{type(model).__name__} has an argument that is no plain value: {error}") from None
    metadata = {"class": f"{type(model).__module__}.{type(model).__qualname__}", "arguments": text}
    save_model(network_of(model), str(path), metadata=metadata)


def load_network(path: str | Path) -> nn.Module:
    """The network of a ``model.safetensors``, ready for evaluation."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    module, _, name = metadata["class"].rpartition(".")
    model = getattr(import_module(module), name)(**json.loads(metadata["arguments"]))
    network = network_of(model)
    load_model(network, str(path))
    return network.eval()


def save_graph(network: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> str:
    """Writes the network as a graph; returns an empty string, or why torch cannot."""
    dynamic = tuple({0: torch.export.Dim.AUTO} for _ in inputs)  # the batch may have any size
    try:
        program = torch.export.export(network, inputs, dynamic_shapes=dynamic)
    except Exception as error:  # torch's tracer has a dozen kinds for what it does not trace
        return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    torch.export.save(program, str(path))
    return ""


def example_of(model: Any) -> tuple[Tensor, ...]:
    """A batch of two in the shape of the model's ``example_input``."""
    example = getattr(model, "example_input", None)
    if example is None:
        raise UserError(f"{type(model).__name__} has no example_input: it says what the network takes")
    generator = torch.Generator().manual_seed(0)
    parts = (example,) if isinstance(example, Tensor) else example

    def two(x: Tensor) -> Tensor:
        return torch.randn(2, *x.shape[1:], generator=generator) if x.is_floating_point() else torch.cat([x, x])

    return tuple(two(part) for part in parts)


def outputs(result: Any) -> dict[str, Tensor]:
    """The tensors of a network's output by name, whatever it returns."""
    parts = list(result.values()) if isinstance(result, dict) else [result] if isinstance(result, Tensor) else result
    return {f"output{k}": part.contiguous() for k, part in enumerate(parts) if isinstance(part, Tensor)}


def export(argv: list[str]) -> Path:
    """Exports; returns the folder."""
    words = list(argv)
    out = None
    if "--out" in words:
        at = words.index("--out")
        if at + 1 == len(words):
            raise UserError("--out needs a folder")
        out = Path(words[at + 1])
        del words[at : at + 2]
    add_working_directory()
    command = resolve("test", words)
    assert command.checkpoint is not None
    content = read_checkpoint(command.checkpoint)
    _, model, _ = build_command(command)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"checkpoint {command.checkpoint} does not fit the model: {reason}") from None
    folder = out or (command.run or command.checkpoint.parent) / "export"
    folder.mkdir(parents=True, exist_ok=True)
    network = network_of(model).eval()
    if is_sharded(command.checkpoint):
        AtomicCheckpoint().save_checkpoint(content, folder / "model.ckpt")
    save_network(model, folder / "model.safetensors")
    inputs = example_of(model)
    with torch.no_grad():
        result = outputs(network(*inputs))
    save_file({f"input{k}": x.contiguous() for k, x in enumerate(inputs)} | result, folder / "example.safetensors")
    why_not = save_graph(network, inputs, folder / "model.pt2")
    for name in ("model.ckpt", "model.safetensors", "model.pt2", "example.safetensors"):
        if (folder / name).is_file():
            print(f"{folder / name}  {(folder / name).stat().st_size:,} bytes")
    if why_not:
        print(f"no model.pt2: torch.export cannot trace the network ({why_not})")
    return folder


def main(argv: list[str]) -> int:
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    export(argv)
    return 0
