"""The recurrent network: each state is computed from the next input and the last state. D2L 9.4 to 9.6.

Elman 1990, "Finding structure in time". Departs from the book: an epoch's perplexity is exp of the mean over all tokens
(its plot shows the mean of the batches' exps), prediction works for any number of sequences (its from-scratch loop
unpacks the state for one only).

    dive fit rnn/rnn                  characters of Python's documentation, the state carried, offline
    dive fit rnn/rnn_time_machine     the book's recipe
    dive generate rnn/rnn --prompt "The import statement"

The numbers they reach are in RESULTS.md.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lit_models.rnn.language_model import RecurrentLM
from lit_models.rnn.stack import Stack, TorchStack
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.trains import trains


class RNNLayer(nn.Module):
    """One layer, step by step: h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh). (B, T, D) -> (B, T, H), state (B, H).

    The weights have the names and the initialization of ``nn.RNN``: uniform in +-1 / sqrt(H).

    Args:
        input_size, hidden_size: D and H.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        inputs = x @ self.weight_ih.T + self.bias_ih  # (B, T, H): does not depend on the state, so all steps at once
        h = x.new_zeros(len(x), len(self.bias_hh)) if state is None else state
        outputs = []
        for t in range(x.shape[1]):
            h = torch.tanh(inputs[:, t] + h @ self.weight_hh.T + self.bias_hh)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h


def rnn_language_model(
    vocab_size: int = 128,
    hidden_size: int = 256,
    num_layers: int = 1,
    dropout: float = 0.0,
    embed_size: int = 0,
    implementation: Literal["torch", "hand"] = "torch",
) -> RecurrentLM:
    """A language model on RNN layers.

    Args:
        vocab_size: Number of tokens.
        hidden_size: Numbers in a layer's state.
        num_layers: Layers on top of one another.
        dropout: Of the vectors between layers and before the output.
        embed_size: Width of the token vectors; 0 feeds one-hot vectors, as the book.
        implementation: ``hand`` runs the layers of this file, ``torch`` nn.RNN: equal numbers, faster.
    """
    sizes = (embed_size or vocab_size, hidden_size, num_layers, False, dropout)
    body = Stack(RNNLayer, *sizes) if implementation == "hand" else TorchStack("rnn", *sizes)
    return RecurrentLM(body, vocab_size, hidden_size, embed_size, dropout)


@trains(rnn_language_model)
class LitRNN(LanguageModel):
    """A language model on RNN layers."""
