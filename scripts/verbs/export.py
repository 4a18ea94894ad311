"""``dive export RECIPE``: the model of a run as files that other programs read.

    dive export RECIPE [--run DIR | --ckpt_path FILE] [--out DIR] [--format onnx]
                        default: the best checkpoint of the newest run

The files in ``DIR`` (by default ``export/`` in the run's folder):

    model.safetensors   the weights; class and arguments are in its metadata, reading it does not execute code
    model.pt2           the model as a graph (torch.export), which runs without this project's code, at any batch size
    model.onnx          only with --format onnx: for ONNX Runtime and others; kept if onnxruntime's outputs are the
                        model's (needs the extra "onnx")
    export.json         what goes in, what comes out, and what `dive predict` does before and after; the
                        anchors of a detector
    processor.json      of the run: labels, a table's columns, vocabulary
    example.safetensors an input and the model's output for it
    model.pth           only of RWKV: for BlinkDL's programs and the `rwkv` package
    model.ckpt          only of a sharded checkpoint (-c trainer/fsdp): one file for `dive test --ckpt_path`

The model is the whole ``forward``: with the normalization that published weights need, and in the units of a table's
target. ``load_network("model.safetensors")`` builds it again; ``torch.export.load("model.pt2").module()`` needs torch
only. A run can start from the weights: ``--model.weights DIR/model.safetensors``.
"""

import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from safetensors import safe_open
from safetensors.torch import load_model, save_file, save_model

from callbacks.atomic_checkpoint import AtomicCheckpoint
from common.messages import UserError
from scripts.front.arguments import Command, resolve
from scripts.front.build import Builder, typed
from scripts.front.checkpoints import is_sharded
from scripts.front.graphs import description, example_of, outputs_of, save_graph, save_onnx
from scripts.front.recipes import CONFIGS, read_recipe
from scripts.front.restored import load_weights
from scripts.front.working_directory import add_working_directory

FORMATS = ("pt2", "onnx")
FILES = (
    "model.ckpt",
    "model.pth",
    "model.safetensors",
    "model.pt2",
    "model.onnx",
    "export.json",
    "processor.json",
    "example.safetensors",
)


def save_network(model: Any, path: Path, net: dict[str, Any] | None = None) -> None:
    """Saves weights, class and arguments of a LightningModule.

    Args:
        model: The LightningModule.
        path: The file.
        net: ``class_path`` and ``init_args`` of a network that was given to it (``--model.net``).

    Raises:
        UserError: An argument is not a plain value.
    """
    arguments = {key: value for key, value in dict(model.hparams).items() if not key.startswith("_")}
    try:
        metadata = {"arguments": json.dumps(arguments)} | ({"net": json.dumps(net)} if net else {})
    except TypeError as error:
        raise UserError(f"{type(model).__name__} has an argument that is no plain value: {error}") from None
    metadata |= {"class": f"{type(model).__module__}.{type(model).__qualname__}"}
    second = model._modules.pop("second_heads", None)  # of a multitask regularizer: for training only
    try:
        save_model(model, str(path), metadata=metadata)
    finally:
        if second is not None:
            model.second_heads = second


def load_network(path: str | Path) -> LightningModule:
    """The model of a ``model.safetensors``, ready for evaluation: its outputs are those of the run."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    arguments = json.loads(metadata["arguments"])
    if "net" in metadata:
        arguments["net"] = built(json.loads(metadata["net"]))
    model = class_of(metadata["class"])(**arguments)
    load_model(model, str(path))
    model.weights_wanted = False  # they are in the file
    return model.eval()


def class_of(name: str) -> Any:
    module, _, name = name.rpartition(".")
    return getattr(import_module(module), name)


def built(config: Any) -> Any:
    """The object that a ``class_path`` with ``init_args`` describes, and those inside of it."""
    if isinstance(config, dict):
        values = {name: built(value) for name, value in config.items()}
        return class_of(values["class_path"])(**values.get("init_args") or {}) if "class_path" in values else values
    return [built(value) for value in config] if isinstance(config, list) else config


class Restored(Builder):
    """Builds what a command names, and loads its checkpoint into the model."""

    def __init__(self, command: Command) -> None:
        assert command.checkpoint is not None
        with typed(command):
            super().__init__(command, run=False)
        self.content = load_weights(self.model, command.checkpoint)
        self.model.eval()

    def given_net(self) -> dict[str, Any] | None:
        """The network in ``model.net``, as in a config."""
        net: Any = (self.config.model.get("init_args") or {}).get("net")
        return net.as_dict() if hasattr(net, "as_dict") else None


def export(argv: list[str]) -> Path:
    """Exports; returns the folder."""
    words = list(argv)
    given = taken(words, "--out", "a folder")
    out = Path(given) if given else None
    form = taken(words, "--format", f"one of {', '.join(FORMATS)}")
    if form and form not in FORMATS:
        raise UserError(f"--format {form}: give one of {', '.join(FORMATS)}")
    add_working_directory()
    command = resolve("test", words)
    assert command.checkpoint is not None
    restored = Restored(command)
    folder = out or (command.run or command.checkpoint.parent) / "export"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)  # of an earlier export
    if is_sharded(command.checkpoint):
        AtomicCheckpoint().save_checkpoint(restored.content, folder / "model.ckpt")
    processor = command.run / "processor.json" if command.run else None
    if processor is not None and processor.is_file():
        shutil.copy(processor, folder / "processor.json")
    model, data, net = restored.model, restored.datamodule, restored.given_net()
    why_not = write(model, data, folder, net, command.recipe, onnx=form == "onnx")
    for name in FILES:
        if (folder / name).is_file():
            print(f"{folder / name}  {(folder / name).stat().st_size:,} bytes")
    key = "export" if "model.pt2" in why_not else "onnx"  # without a graph there is no ONNX either
    for name, why in why_not.items():
        print(f"no {name}: {reason_of(command.recipe, key) or why}")
    return folder


def taken(words: list[str], option: str, what: str) -> str:
    """The value of an option, which is taken out of a command; empty where it is not there."""
    if option not in words:
        return ""
    at = words.index(option)
    if at + 1 == len(words):
        raise UserError(f"{option} needs {what}")
    value = words[at + 1]
    del words[at : at + 2]
    return value


def write(
    model: Any, data: Any, folder: Path, net: dict[str, Any] | None = None, recipe: str = "", onnx: bool = False
) -> dict[str, str]:
    """Saves a model that is ready for evaluation; returns the files that could not be made, each with the reason."""
    if hasattr(model.net, "merge_lora"):
        model.net.merge_lora()
        model.hparams["lora_rank"] = 0
    save_network(model, folder / "model.safetensors", net)
    if hasattr(getattr(model, "net", None), "to_published"):
        torch.save(model.net.to_published(), folder / "model.pth")
    inputs = example_of(model)
    outputs = outputs_of(model, inputs)
    named = {f"input{k}": x.contiguous() for k, x in enumerate(inputs)}
    save_file(named | outputs, folder / "example.safetensors")
    program, why = save_graph(model, inputs, folder / "model.pt2")
    reasons = {"model.pt2": why}
    if onnx:
        reasons["model.onnx"] = save_onnx(model, program, inputs, folder / "model.onnx") if program else why
    said = {"recipe": recipe, **description(model, data, inputs, outputs, program)}
    if (folder / "processor.json").is_file():
        said["processor"] = "processor.json"
    (folder / "export.json").write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return {name: why for name, why in reasons.items() if why}


def reason_of(recipe: str, key: str = "export") -> str:
    """The reason in a recipe's header why it cannot be exported as a graph (``export:``), or in ONNX (``onnx:``)."""
    path = CONFIGS / f"{recipe}.yaml"
    return read_recipe(path).header.get(key, "") if path.is_file() else ""


def main(argv: list[str]) -> int:
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    export(argv)
    return 0
