"""A model as a graph that needs only torch (torch.export), and the information to use it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
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


def save_onnx(model: nn.Module, program: ExportedProgram, inputs: tuple[Tensor, ...], path: Path) -> str:
    """Saves a graph for ONNX's runtimes, and has onnxruntime compute with it: its outputs must be the model's.

    Args:
        model: In evaluation mode.
        program: Its graph, as of ``save_graph``.
        inputs: An example; the graph is compared at three rows and at one.
        path: The file, of one piece.

    Returns:
        An empty string, or why there is no file.

    Raises:
        UserError: The packages are not installed.
    """
    import torch.onnx

    for package in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(package) is None:
            raise UserError(f"--format onnx needs {package}: pip install 'dive[onnx]'")
    names: dict[str, Any] = {"input_names": [f"input{k}" for k in range(len(inputs))]}
    names["output_names"] = list(outputs_of(model, inputs))
    try:
        with quiet(), warnings.catch_warnings(action="ignore"):
            made = torch.onnx.export(program, (), dynamo=True, verbose=False, external_data=False, **names)
            assert made is not None
            made.save(str(path), external_data=False)
        why_not = difference_of_onnx(model, inputs, path)
    except Exception as error:  # of the converter, or of the runtime
        why_not = reason_in(error)
    if why_not:
        path.unlink(missing_ok=True)
    return why_not


def difference_of_onnx(model: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> str:
    """An empty string, or how far onnxruntime's outputs are from the model's."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for rows in (3, 1):
        given = tuple(torch.cat([x] * rows)[:rows] for x in inputs)
        known = outputs_of(model, given)
        # an input that does not matter is not in the graph
        fed = {slot.name: given[int(slot.name.removeprefix("input"))].numpy() for slot in session.get_inputs()}
        for name, value in zip(known, session.run(list(known), fed), strict=True):
            found = torch.from_numpy(value)
            if found.shape != known[name].shape:
                return f"onnxruntime returns {tuple(found.shape)}, the model {tuple(known[name].shape)}"
            if not torch.allclose(found.double(), known[name].double(), rtol=1e-4, atol=1e-4):
                return (
                    f"onnxruntime's output differs by {float((found.double() - known[name].double()).abs().max()):.2g}"
                )
    return ""


def reason_in(error: Exception) -> str:
    """The line of an error's text that says most: the last of the converter's causes."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


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


def outputs_of(model: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
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
    constants = model.constants() if hasattr(model, "constants") else {}
    return {
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "torch": torch.__version__,
        "inputs": [
            {"name": f"input{k}", "dtype": str(x.dtype).removeprefix("torch."), "shape": dims[k]}
            for k, x in enumerate(inputs)
        ],
        "before": attribute_of(data, "input_means", "") or "the model is called with what the network takes",
        "outputs": [{"name": name, "example_shape": list(x.shape)} for name, x in outputs.items()],
        **({"constants": {name: value.tolist() for name, value in constants.items()}} if constants else {}),
        "after": " ".join(filter(None, (getattr(model, "output_means", ""), attribute_of(data, "output_means", "")))),
    }
