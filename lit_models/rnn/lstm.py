"""Long short-term memory: a cell with gates for its input, its memory and its output. D2L 10.1.

Hochreiter and Schmidhuber 1997; forget gate by Gers et al. 2000. As in the book the forget gate's bias starts at zero;
``forget_bias: 1`` keeps the cell's state from the start (Jozefowicz et al. 2015).

    dive fit rnn/lstm                 characters of Python's documentation, offline
    dive fit rnn/lstm_time_machine    the book's recipe
    dive fit rnn/lstm_ptb             words of the Penn Treebank

The numbers they reach are in RESULTS.md.
"""

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from lit_models.rnn.language_model import RecurrentLM
from lit_models.rnn.stack import Stack, TorchStack
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.trains import trains


class LSTMLayer(nn.Module):
    """One layer, step by step. (B, T, D) -> (B, T, H), state (h, c), both (B, H).

    i, f, o = sigmoid(...), g = tanh(...) of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh;
    c_t = f * c_{t-1} + i * g;  h_t = o * tanh(c_t). The weights have the order of ``nn.LSTM``: i, f, g, o stacked.

    Args:
        input_size, hidden_size: D and H.
        forget_bias: Added to the bias of the forget gate at the start.
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        add_forget_bias(self.bias_ih, forget_bias)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        inputs = x @ self.weight_ih.T + self.bias_ih  # (B, T, 4H)
        if state is None:
            state = (x.new_zeros(len(x), self.hidden_size), x.new_zeros(len(x), self.hidden_size))
        h, c = state
        outputs = []
        for t in range(x.shape[1]):
            gates = inputs[:, t] + h @ self.weight_hh.T + self.bias_hh
            i, f, g, o = gates.chunk(4, dim=1)  # each (B, H)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), (h, c)


def add_forget_bias(bias: Tensor, value: float) -> None:
    """Adds to the second quarter of a bias (4H,), the forget gate's."""
    with torch.no_grad():
        bias.chunk(4)[1].add_(value)


def lstm_language_model(
    vocab_size: int = 128,
    hidden_size: int = 256,
    num_layers: int = 1,
    dropout: float = 0.0,
    embed_size: int = 0,
    forget_bias: float = 0.0,
    tied: bool = False,
    implementation: Literal["torch", "hand"] = "torch",
) -> RecurrentLM:
    """A language model on LSTM layers.

    Args:
        vocab_size: Number of tokens.
        hidden_size: Numbers in a layer's state.
        num_layers: Layers on top of one another.
        dropout: Of the vectors between layers and before the output.
        embed_size: Width of the token vectors; 0 feeds one-hot vectors, as the book.
        forget_bias: Added to the forget gates' bias at the start.
        tied: See ``RecurrentLM``.
        implementation: ``hand`` runs the layers of this file, ``torch`` nn.LSTM: equal numbers, faster.
    """
    sizes = (embed_size or vocab_size, hidden_size, num_layers, False, dropout)
    if implementation == "hand":
        body: nn.Module = Stack(partial(LSTMLayer, forget_bias=forget_bias), *sizes)
    else:
        body = TorchStack("lstm", *sizes)
        for name, parameter in body.named_parameters():
            if "bias_ih" in name:
                add_forget_bias(parameter, forget_bias)
    return RecurrentLM(body, vocab_size, hidden_size, embed_size, dropout, tied)


@trains(lstm_language_model)
class LitLSTM(LanguageModel):
    """A language model on LSTM layers."""
