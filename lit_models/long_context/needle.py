"""Finding needles in a haystack that is eight times as long as any text of the training.

A row is noise in which marked tokens are planted; at its end they are asked for (Kamradt 2023, "Needle in a haystack").
Their values are drawn anew for each row: nothing can be known by heart. The network is ``LongGPT``, with positions and
mixers by argument, or ``Mamba``.

    dive fit long_context/needle                              YaRN: trained at 128, tested at 128 to 1,024
    dive fit long_context/needle --model.position rotary      plain rotary positions: lost beyond 128
    dive fit long_context/needle --model.mixer mamba          a state of fixed size

The numbers it reaches are in RESULTS.md, the picture ``needles.png`` has them by depth and length.
"""

from typing import Any, Literal

from torch import Tensor, nn

from lit_models.long_context.long_gpt import LongGPT, Position
from lit_models.long_context.mamba import Mamba
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.trains import trains


def long_network(
    vocab_size: int,
    seq_len: int = 128,
    test_len: int = 0,
    hidden_size: int = 64,
    num_layers: int = 2,
    num_heads: int = 4,
    position: Position = "yarn",
    mixer: Literal["attention", "linear", "mamba"] = "attention",
    factor: float = 0.0,
    window: int = 0,
    sinks: int = 0,
    rope_theta: float = 10_000.0,
) -> nn.Module:
    """``LongGPT``, or ``Mamba`` where the mixer is one.

    Args:
        vocab_size, seq_len, test_len, hidden_size, num_layers, num_heads: See ``LongGPT``.
        position: ``learned``, ``none``, ``alibi``, ``rotary``, ``linear``, ``ntk`` or ``yarn``.
        mixer: ``attention``, ``linear`` or ``mamba``; the latter two have no positions.
        factor, window, sinks, rope_theta: See ``LongGPT``.
    """
    if mixer == "mamba":
        return Mamba(vocab_size, hidden_size, num_layers, seq_len=seq_len)
    return LongGPT(
        vocab_size, seq_len, test_len, hidden_size, num_layers, num_heads, 0, position, mixer, factor, window, sinks,
        rope_theta=rope_theta,
    )  # fmt: skip


@trains(long_network)
class LitNeedle(LanguageModel):
    """Trained as a language model whose targets are the answers; a test step also returns what was predicted."""

    predicted: Tensor

    def logits(self, tokens: Tensor, stage: str) -> Tensor:
        logits = super().logits(tokens, stage)
        self.predicted = logits.detach().argmax(-1)  # (B, T)
        return logits

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Any]:
        """Also returns ``predicted`` (B, T), the most probable next token at each place."""
        return {**super().test_step(batch, batch_idx), "predicted": self.predicted}
