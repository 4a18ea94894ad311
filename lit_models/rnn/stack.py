"""Stacked recurrent layers: deep, bidirectional, with dropout between them. D2L 10.3 and 10.4.

A layer is any module ``layer(x (B, T, D), state) -> (y (B, T, H), state)`` whose state is a tensor (B, H) or a tuple of
such; ``RNNLayer``, ``LSTMLayer`` and ``GRULayer`` are in their own files. ``TorchStack`` is the same with
``torch.nn``, whose fused loops are faster. States have the batch first: (B, layers * directions, H).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.functional.state import map_state


class Stack(nn.Module):
    """Layers by hand: (B, T, input_size) -> (B, T, directions * hidden_size) and the states after the last step.

    Args:
        layer: Makes a layer from (input_size, hidden_size).
        input_size: D.
        hidden_size: H.
        num_layers: Layers; each reads the outputs of the one below.
        bidirectional: A second layer at each level reads from the end to the beginning; its output is appended to
            the first one's. It sees the future, so it cannot be a language model.
        dropout: Fraction of each layer's outputs that is dropped before the next layer, not after the last one.
    """

    def __init__(
        self,
        layer: Callable[[int, int], nn.Module],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.directions = 1 + bidirectional
        widths = [input_size] + [hidden_size * self.directions] * (num_layers - 1)
        self.layers = nn.ModuleList(layer(width, hidden_size) for width in widths for _ in range(self.directions))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        after = []
        for i in range(0, len(self.layers), self.directions):
            outputs = []
            for k in range(self.directions):
                before = None if state is None else map_state(lambda t, n=i + k: t[:, n], state)  # type: ignore[misc]
                read = x.flip(1) if k else x
                y, h = self.layers[i + k](self.dropout(read) if i else read, before)
                outputs.append(y.flip(1) if k else y)
                after.append(h)
            x = torch.cat(outputs, dim=2)  # (B, T, directions * H)
        return x, stacked(after)


def stacked(states: list[Any]) -> Any:
    """States (B, H) of the layers as one (B, layers, H); tuples part by part."""
    if isinstance(states[0], tuple):
        return tuple(torch.stack(parts, dim=1) for parts in zip(*states, strict=True))
    return torch.stack(states, dim=1)


class TorchStack(nn.Module):
    """The same with ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``.

    Args:
        kind: ``rnn``, ``lstm`` or ``gru``.
        input_size, hidden_size, num_layers, bidirectional, dropout: See ``Stack``.
    """

    def __init__(
        self,
        kind: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        make = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
        self.layers = make(
            input_size,
            hidden_size,
            num_layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,  # torch warns about dropout with a single layer
        )

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        if state is not None:
            state = map_state(lambda t: t.transpose(0, 1).contiguous(), state)
        y, state = self.layers(x, state)
        return y, map_state(lambda t: t.transpose(0, 1), state)


def from_torch(stack: Stack, reference: nn.Module) -> None:
    """Copies the weights of an ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU`` into our layers, which have its names."""
    for number, layer in enumerate(stack.layers):
        level, back = divmod(number, stack.directions)
        for name, parameter in layer.named_parameters():
            source = getattr(reference, f"{name}_l{level}{'_reverse' if back else ''}")
            parameter.data.copy_(source)
