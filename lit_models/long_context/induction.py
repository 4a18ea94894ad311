"""Induction heads: two layers of attention that learn to continue what occurred before.

Olsson et al. 2022, "In-context learning and induction heads"; Elhage et al. 2021, "A mathematical framework for
transformer circuits". The network has attention only. A head of the first layer writes into each token what was before
it; a head of the second one looks for the place whose token before is the present one, and copies what is there.
Neither is of use without the other: the loss stays at a plateau until both are there, then falls at once, and the
induction score jumps with it.

    dive fit long_context/induction                        the jump in ``induction.png``, the path in ``inside.png``
    dive fit long_context/induction --model.num_layers 1   one layer cannot

The numbers it reaches are in RESULTS.md; the measures are in ``inside.py``.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.positions import LearnedPositions
from lit_models.long_context.inside import (
    activation_patching,
    control_labels,
    induction_score,
    last_occurrence,
    logit_lens,
    previous_score,
    probe_accuracy,
)
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.trains import trains


class AttentionOnly(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, V) of each next token, by attention only.

    Args:
        vocab_size: Number V of tokens.
        seq_len: Longest sequence.
        hidden_size, num_layers, num_heads: Width D, depth and heads.
    """

    def __init__(
        self, vocab_size: int, seq_len: int = 40, hidden_size: int = 64, num_layers: int = 2, num_heads: int = 4
    ) -> None:
        super().__init__()
        self.context = seq_len
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.positions = LearnedPositions(hidden_size, seq_len, std=hidden_size**-0.5)
        self.norms = nn.ModuleList(nn.RMSNorm(hidden_size, 1e-6) for _ in range(num_layers))
        self.attentions = nn.ModuleList(
            MultiHeadAttention(hidden_size, num_heads, causal=True) for _ in range(num_layers)
        )
        self.norm, self.head = nn.RMSNorm(hidden_size, 1e-6), nn.Linear(hidden_size, vocab_size, bias=False)
        nn.init.normal_(self.embedding.weight, std=hidden_size**-0.5)

    def unembed(self, stream: Tensor) -> Tensor:
        """(..., D) -> logits (..., V)."""
        return self.head(self.norm(stream))

    def streams(self, tokens: Tensor, start: int = 0, stream: Tensor | None = None) -> list[Tensor]:
        """The residual stream (B, T, D) before layer ``start``, which may be given, and after each later layer."""
        found = [self.positions(self.embedding(tokens)) if stream is None else stream]
        for norm, attention in list(zip(self.norms, self.attentions, strict=True))[start:]:
            found.append(found[-1] + attention(norm(found[-1])))
        return found

    def forward(self, tokens: Tensor, start: int = 0, stream: Tensor | None = None) -> Tensor:
        """``start`` and ``stream``: see ``streams``."""
        return self.unembed(self.streams(tokens, start, stream)[-1])

    def weights(self, tokens: Tensor) -> list[Tensor]:
        """The attention weights (B, H, T, T) of each layer."""
        modules: list[Any] = list(self.attentions)
        for module in modules:
            module.need_weights = True
        self.streams(tokens)
        for module in modules:
            module.need_weights = False
        return [module.weights for module in modules]


@trains(AttentionOnly)
class LitInduction(LanguageModel):
    """Trained as a language model whose targets are the repetitions; each validation measures the heads.

    Logs ``val/induction_score`` and ``val/previous_score``, of the best head of the last and of the first layer.
    """

    net: AttentionOnly

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.history: list[list[float]] = []  # step, loss, induction score, previous-token score

    def validation_rows(self) -> tuple[Tensor, Tensor]:
        """The first 100 rows of the validation split, the same ones in every process."""
        tokens, targets = (t[:100].long().to(self.device) for t in self.data_attribute("splits")["val"])
        return tokens, targets

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        if self.data_attribute("splits") is None:
            return
        tokens, _ = self.validation_rows()
        weights = self.net.weights(tokens)
        scores = {
            "induction": induction_score(weights[-1], tokens).max(),
            "previous": previous_score(weights[0]).max(),
        }
        for name, score in scores.items():
            self.log(f"val/{name}_score", score, sync_dist=True)
        if not self.trainer.sanity_checking:
            loss = float(self.val_loss.compute())
            self.history.append([float(self.global_step), loss, *(float(s) for s in scores.values())])

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: loss and scores over training."""
        if not self.history:  # no validation so far
            return []
        steps, loss, induction, previous = torch.tensor(self.history).T
        return [
            {"title": "loss of the repetitions, nats", "xlabel": "step", "lines": {"validation": (steps, loss)}},
            {
                "title": "attention of the best head",
                "xlabel": "step",
                "lines": {
                    "last layer, to the token after the last occurrence": (steps, induction),
                    "first layer, to the token before": (steps, previous),
                },
                "ylim": (0, 1),
            },
        ]

    @torch.no_grad()
    def maps(self) -> list[dict[str, Any]]:
        """For ``HeatMaps``: activation patching, logit lens and probes, layer by layer, on validation rows."""
        net, (tokens, targets) = self.net.eval(), self.validation_rows()
        streams = net.streams(tokens)
        layers = ["embedding", *(f"layer {i + 1}" for i in range(len(streams) - 1))]
        right, wrong, answer, places = corrupt(tokens, targets)
        patched = activation_patching(net, net.streams(right), net.streams(wrong), wrong, answer)
        classes, before = self.vocab_size, tokens[:, :-1].flatten()
        control = control_labels(tokens[:, 1:].flatten(), classes)
        read = [
            [probe_accuracy(s[:, 1:].flatten(0, 1), labels, classes) for labels in (before, control)] for s in streams
        ]
        lens = logit_lens(streams, net.unembed, targets)[:, None]
        return [
            {"title": "patching: how much comes back", "values": patched, "rows": layers, "columns": places},
            {"title": "logit lens: p(right)", "values": lens, "rows": layers, "columns": ["last layers left out"]},
            {
                "title": "linear probes: right",
                "values": torch.tensor(read),
                "rows": layers,
                "columns": ["token before", "control task"],
            },
        ]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.history = checkpoint.get("history", [])


def corrupt(tokens: Tensor, targets: Tensor, context: int = 2) -> tuple[Tensor, Tensor, Tensor, list[str]]:
    """Rows that end with a token A that occurred once before, and the same with the first A replaced by another token.

    All rows are cut so that A is at the same places: ``context`` tokens, A, B, the rest of the segment, A.

    Args:
        tokens, targets: (B, T) of ``RepeatedTokens``.
        context: Tokens before the first A.

    Returns:
        Right and corrupted tokens (R, L), the answers B (R,), the name of each place.
    """
    first = (last_occurrence(tokens) >= 0).int().argmax(1)  # the length of each row's segment
    length = int(first.mode().values)
    rows = (first == length).nonzero().flatten()
    right = tokens[rows, : length + context + 1]
    wrong = right.clone()
    wrong[:, context] = right[:, 0]  # a token that is in the row, and is not what came before B
    names = [""] * right.shape[1]
    names[context], names[context + 1], names[-1] = "A", "B", "A"
    return right, wrong, targets[rows, right.shape[1] - 1], names
