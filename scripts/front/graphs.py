"""A model as a graph that needs only torch (torch.export), and the information to use it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from common.data_protocol import attribute_of
from common.messages import UserError


class Forward(nn.Module):
    """A LightningModule's ``forward`` as a plain module."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Any:
        return self.model(*inputs)


def save_graph(model: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> tuple[ExportedProgram | None, str]:
    """Saves a model as a graph that takes batches of any size, and texts of any length where the model does.

    Returns:
        The graph and an empty string; or None and the reason.
    """
    tries = [tuple(dynamic(x, True) for x in inputs), tuple(dynamic(x, False) for x in inputs)]
    why_not = ""
    for sizes in tries[: 1 if tries[0] == tries[1] else 2]:
        try:
            with quiet():
                program = torch.export.export(Forward(model), inputs, dynamic_shapes=(sizes,))
        except Exception as error:  # torch's tracer raises many kinds of exceptions
            why_not = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        else:
            torch.export.save(program, str(path))
            return program, ""
    return None, why_not


@contextmanager
def quiet() -> Iterator[None]:
    """Suppresses the long output of a failed trace, which also raises an exception."""
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def dynamic(x: Tensor, any_length: bool) -> dict[int, Any]:
    """The sizes of an input that may vary: always the rows, and the length of a text (B, T) if the model allows it."""
    return {0: Dim.DYNAMIC} | ({1: Dim.AUTO} if any_length and x.ndim == 2 and not x.is_floating_point() else {})


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


def answer(model: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The tensors of a model's output by name, for any output type."""
    with torch.no_grad():
        result = model(*inputs)
    parts = list(result.values()) if isinstance(result, dict) else [result] if isinstance(result, Tensor) else result
    return {f"output{k}": part.contiguous() for k, part in enumerate(parts) if isinstance(part, Tensor)}


def description(
    model: Any, data: Any, inputs: tuple[Tensor, ...], outputs: dict[str, Tensor], program: ExportedProgram | None
) -> dict[str, Any]:
    """What a user of the exported files must know: shapes, and what ``dive predict`` does before and after."""
    nodes = [n for n in program.graph.nodes if n.op == "placeholder"][-len(inputs) :] if program else []
    traced = [node.meta["val"].shape for node in nodes]

    def shape(sizes: Any) -> list[Any]:
        return ["batch", *(size if isinstance(size, int) else "any" for size in sizes[1:])]

    dims = [shape(sizes) for sizes in traced or [x.shape for x in inputs]]
    return {
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "torch": torch.__version__,
        "inputs": [
            {"name": f"input{k}", "dtype": str(x.dtype).removeprefix("torch."), "shape": dims[k]}
            for k, x in enumerate(inputs)
        ],
        "before": attribute_of(data, "input_means", "") or "the model is called with what the network takes",
        "outputs": [{"name": name, "example_shape": list(x.shape)} for name, x in outputs.items()],
        "after": " ".join(filter(None, (getattr(model, "output_means", ""), attribute_of(data, "output_means", "")))),
    }
