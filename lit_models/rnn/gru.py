"""Gated recurrent unit: two gates, no second state. D2L 10.2.

Cho et al. 2014. The reset gate can be applied in two places, with different results: ``before`` the recurrent product,
as in the paper and in the book's from-scratch code, or ``after`` it, as in cuDNN and ``nn.GRU``, which the book's
concise code uses without saying so. The argument ``reset`` selects one.

    dive fit rnn/gru                  characters of Python's documentation, offline
    dive fit rnn/gru_time_machine     the book's recipe
    dive generate rnn/gru --prompt "A class definition" --temperature 0.7

The numbers they reach are in RESULTS.md.
"""

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.rnn.language_model import RecurrentLM
from lit_models.rnn.stack import Stack, TorchStack
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.trains import trains


class GRULayer(nn.Module):
    """One layer, step by step. (B, T, D) -> (B, T, H), state (B, H).

    r, z = sigmoid(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh);  h_t = z * h_{t-1} + (1 - z) * n with, ``after``,
    n = tanh(W_in x_t + b_in + r * (W_hn h_{t-1} + b_hn)) or, ``before``, n = tanh(W_in x_t + b_in + W_hn (r * h_{t-1})
    + b_hn). The weights have the order of ``nn.GRU``: r, z, n stacked.

    Args:
        input_size, hidden_size: D and H.
        reset: Whether the reset gate is applied ``after`` the recurrent product (torch) or ``before`` it.
    """

    def __init__(self, input_size: int, hidden_size: int, reset: Literal["after", "before"] = "after") -> None:
        super().__init__()
        self.reset = reset
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        inputs = x @ self.weight_ih.T + self.bias_ih  # (B, T, 3H)
        two, size = 2 * self.hidden_size, self.hidden_size
        h = x.new_zeros(len(x), size) if state is None else state
        outputs = []
        for t in range(x.shape[1]):
            gates = inputs[:, t, :two] + h @ self.weight_hh[:two].T + self.bias_hh[:two]
            r, z = torch.sigmoid(gates).chunk(2, dim=1)  # each (B, H)
            if self.reset == "after":
                past = r * (h @ self.weight_hh[two:].T + self.bias_hh[two:])
            else:
                past = (r * h) @ self.weight_hh[two:].T + self.bias_hh[two:]
            n = torch.tanh(inputs[:, t, two:] + past)
            h = z * h + (1 - z) * n
            outputs.append(h)
        return torch.stack(outputs, dim=1), h


def gru_language_model(
    vocab_size: int = 128,
    hidden_size: int = 256,
    num_layers: int = 1,
    dropout: float = 0.0,
    embed_size: int = 0,
    reset: Literal["after", "before"] = "after",
    implementation: Literal["torch", "hand"] = "torch",
) -> RecurrentLM:
    """A language model on GRU layers.

    Args:
        vocab_size: Number of tokens.
        hidden_size: Numbers in a layer's state.
        num_layers: Layers on top of one another.
        dropout: Of the vectors between layers and before the output.
        embed_size: Width of the token vectors; 0 feeds one-hot vectors, as the book.
        reset: Where the reset gate acts; ``before`` requires ``implementation: hand``.
        implementation: ``hand`` runs the layers of this file, ``torch`` nn.GRU: equal numbers with ``after``,
            faster.
    """
    if reset == "before" and implementation == "torch":
        raise UserError("reset is 'before', which nn.GRU does not have: say implementation: hand")
    sizes = (embed_size or vocab_size, hidden_size, num_layers, False, dropout)
    by_hand = implementation == "hand"
    body = Stack(partial(GRULayer, reset=reset), *sizes) if by_hand else TorchStack("gru", *sizes)
    return RecurrentLM(body, vocab_size, hidden_size, embed_size, dropout)


@trains(gru_language_model)
class LitGRU(LanguageModel):
    """A language model on GRU layers."""
