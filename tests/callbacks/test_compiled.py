"""-c trainer/compile: the network is compiled while it trains, and its names stay."""

from pathlib import Path

import torch

from callbacks.compiled import Compiled
from scripts.cli import main
from tests.small import Points, SmallNet, small_trainer


def trained(folder: Path, *callbacks: Compiled) -> SmallNet:
    torch.manual_seed(0)
    model = SmallNet(dropout=0.0)
    small_trainer(folder, *callbacks, max_epochs=1).fit(model, datamodule=Points(noise=0.0))
    return model


def test_a_compiled_network_learns_the_same_under_the_same_names(tmp_path: Path) -> None:
    plain, compiled = trained(tmp_path), trained(tmp_path, Compiled(backend="eager"))
    assert plain.state_dict().keys() == compiled.state_dict().keys()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], value)
    assert compiled.net._compiled_call_impl is None  # afterwards


def test_it_is_called_through_the_compiler(tmp_path: Path) -> None:
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    trained(tmp_path, Compiled(backend=backend))  # type: ignore[arg-type]
    assert graphs


def test_the_preset_trains(tmp_path: Path) -> None:
    quick = ["--trainer.max_steps", "1", "--trainer.limit_val_batches", "1", "--trainer.accelerator", "cpu"]
    swap = ["--trainer.callbacks.backend", "eager"]  # of the last callback: no compiler is needed
    assert main(["fit", "linear/softmax_regression", "-c", "trainer/compile", *swap, *quick]) == 0
