"""``dive describe RECIPE [--key value]``: what a recipe trains, and how large it is. No data is loaded.

    dive describe RECIPE --data CSVTable --data.path FILE      what each column of a file of one's own is taken for

A multiply-add is one multiplication with its addition in a matrix product, a convolution or attention, the operations
that ``torch.utils.flop_counter`` counts (two for each multiply-add); activations, normalization, biases and nn.LSTM's
fused kernel are not counted. The numbers are for one sample, the model's ``example_input``. For images the table also
has each layer's receptive field in pixels, and the lines above the table show the memory that training keeps per image
for the backward pass (``scripts/front/costs.py``).
"""

import inspect
from dataclasses import dataclass
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from common.messages import UserError
from scripts.front.arguments import resolve, typed_value
from scripts.front.build import build
from scripts.front.classes import import_class
from scripts.front.costs import WHOLE, ReceptiveFields, kept_for_backward
from scripts.front.recipes import CONFIGS, Recipe, read_recipe


@dataclass
class Layer:
    """One line of the table: a module with parameters of its own, or without children."""

    name: str
    kind: str
    parameters: int
    output: str = "-"  # of its last call; - if forward does not use it
    multiply_adds: int = 0  # over all its calls
    field: float | None = None  # receptive field of its last output; None if the input is not an image


def measure(model: nn.Module, inputs: tuple[Tensor, ...] | None) -> tuple[list[Layer], int | None]:
    """The layers in the order of use, and the multiply-adds of a forward pass; None without ``inputs``."""
    layers: dict[nn.Module, Layer] = {}
    for name, module in model.named_modules():
        own = sum(p.numel() for p in module.parameters(recurse=False))
        if own or not list(module.children()):
            layers[module] = Layer(name or "(itself)", type(module).__name__, own)
    if inputs is None:
        return [layer for layer in layers.values() if layer.parameters], None

    used: list[Layer] = []
    open_calls: list[list[int]] = []  # of each module that is running: the count at its start, what inner modules had
    counter = FlopCounterMode(display=False)
    fields = ReceptiveFields(inputs[0])
    image = inputs[0].ndim == 4

    def before(module: nn.Module, _: Any) -> None:
        open_calls.append([counter.get_total_flops(), 0])

    def after(module: nn.Module, _: Any, output: Any) -> None:
        start, inner = open_calls.pop()
        all_of_it = counter.get_total_flops() - start
        if open_calls:
            open_calls[-1][1] += all_of_it
        layer = layers[module]
        if layer not in used:
            used.append(layer)
        layer.output = shape(output)
        layer.field = fields.of(output) if image else None
        layer.multiply_adds += (all_of_it - inner) // 2

    hooks = [h for m in layers for h in (m.register_forward_pre_hook(before), m.register_forward_hook(after))]
    training = model.training
    model.eval()
    try:
        with (
            torch.enable_grad(),
            counter,
            fields,
        ):  # without gradients nn.MultiheadAttention is one kernel that is not counted
            model(*inputs)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    unused = [layer for layer in layers.values() if layer not in used and layer.parameters]
    return used + unused, counter.get_total_flops() // 2


def shape(output: Any) -> str:
    """``1 x 6 x 28 x 28`` of a tensor; the shapes of several, joined."""
    if isinstance(output, Tensor):
        return " x ".join(str(size) for size in output.shape) or "scalar"
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else ()
    return ", ".join(shape(part) for part in parts) or type(output).__name__


def table(layers: list[Layer], parameters: int, total: int | None) -> list[str]:
    """The layers as aligned lines, the sums last."""
    seen = any(layer.field is not None for layer in layers)
    rows = [("layer", "type", "output", *(["sees"] if seen else []), "parameters", "multiply-adds")]
    for layer in layers:
        field = "" if layer.field is None else "all" if layer.field == WHOLE else f"{layer.field:.0f}"
        counted = "" if total is None else f"{layer.multiply_adds:,}"
        rows.append(
            (layer.name, layer.kind, layer.output, *([field] if seen else []), f"{layer.parameters:,}", counted)
        )
    rows.append(("in all", "", "", *([""] if seen else []), f"{parameters:,}", "" if total is None else f"{total:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = [[cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)] for row in rows]
    right = [[cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)] for row in rows]
    return ["  ".join(a + b).rstrip() for a, b in zip(left, right, strict=True)]


def describe_file(argv: list[str]) -> tuple[list[str], bool]:
    """What a file of one's own holds, where its datamodule can say it (``described``), and whether that is all: without
    ``--data.target`` there is no model yet.
    """
    args = resolve("fit", argv).args
    kind = import_class(typed_value(args, "--data") or "")
    read = getattr(kind, "described", None)
    if read is None:
        return [], False
    typed: dict[str, Any] = {}
    for word, following in zip(args, [*args[1:], ""], strict=True):
        if word.startswith("--data."):
            key, joined, value = word.removeprefix("--data.").removeprefix("init_args.").partition("=")
            value = value if joined else following
            typed[key] = yaml.safe_load(value) if value.startswith("[") or value in ("true", "false") else value
    wanted = inspect.signature(read).parameters
    lines = read(**{key: value for key, value in typed.items() if key in wanted})
    return lines, "target" in wanted and not typed.get("target")


def describe(argv: list[str]) -> str:
    """The whole description as text."""
    command, model, data = build(argv)
    path = next(c for c in command.configs[1:])
    recipe = read_recipe(path) if path.resolve().is_relative_to(CONFIGS) else Recipe(command.recipe, path)
    example = getattr(model, "example_input", None)
    inputs = (example,) if isinstance(example, Tensor) else example
    layers, total = measure(model, inputs)
    parameters = sum(p.numel() for p in model.parameters())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)

    facts = {
        "plan": recipe.header.get("plan"),
        "section": recipe.header.get("section"),
        "data": recipe.header.get("data"),
    }
    facts["threshold"] = recipe.header.get("threshold", "none stated")
    facts["model"] = class_path(model)
    facts["datamodule"] = class_path(data) if data is not None else "none"
    facts["parameters"] = f"{parameters:,}" + (f", {trainable:,} trainable" if trainable != parameters else "")
    unknown = "not counted: the model has no example_input"
    facts["multiply-adds"] = unknown if total is None else f"{total:,} for one sample"
    if inputs is not None:
        facts["activations"] = f"{kept_of_two(model, inputs):,.0f} bytes of one sample kept for the backward pass"
    lines = [f"{recipe.name}: {recipe.title}" if recipe.title else recipe.name]
    lines += [f"  {key:<14}{value}" for key, value in facts.items() if value]
    return "\n".join([*lines, "", *table(layers, parameters, total)])


def kept_of_two(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """Half of the memory of a batch of two: batch normalization refuses single values in training."""
    twice = tuple(torch.cat([x, x]) for x in inputs)
    mode, state = model.training, {name: value.clone() for name, value in model.named_buffers()}
    try:
        return kept_for_backward(model.train(), twice) / 2
    finally:
        model.train(mode)
        for name, value in model.named_buffers():
            value.copy_(state[name])


def class_path(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def main(argv: list[str]) -> int:
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    if not any(not word.startswith("-") for word in argv):
        raise UserError("which recipe? `dive describe RECIPE`, for example `dive describe cnn/lenet`")
    lines, complete = describe_file(argv)
    for line in [*lines, ""] if lines else []:
        print(line)
    if not complete:
        print(describe(argv))
    return 0
