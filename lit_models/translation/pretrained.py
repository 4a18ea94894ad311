"""Translators that others have trained: Marian (OPUS-MT), M2M-100 and NLLB, mBART, T5 and mT5.

``model.weights`` takes a folder as transformers saves it, with ``config.json`` and ``model.safetensors``; the network
is written out in ``lit_models/translation/bart.py`` and ``t5.py``. Without weights it is trained from the beginning.

    dive fit translation/pretrained                     T5's network on numbers reversed, offline
    dive fit translation/pretrained --data ParallelFile --data.path pairs.tsv --data.vocabulary FOLDER \\
        --model.weights FOLDER

The sizes of the network must be those of the folder; where they differ, the error lists what to give. The numbers
reached are in RESULTS.md.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.functional.decoding import OUT, Step
from lit_models.layers.feed_forward import Activation
from lit_models.tasks.seq2seq import Seq2Seq
from lit_models.tasks.trains import trains
from lit_models.translation.bart import Bart
from lit_models.translation.t5 import T5


def network(
    source_vocab_size: int,
    target_vocab_size: int,
    variant: Literal["marian", "m2m_100", "mbart", "t5"] = "t5",
    hidden_size: int = 64,
    num_heads: int = 4,
    ffn_size: int = 256,
    num_layers: int = 2,
    decoder_layers: int = 0,
    activation: Activation = "relu",
    dropout: float = 0.1,
    scale_embedding: bool = True,
    max_positions: int = 1024,
    head_size: int = 0,
    gated: bool = False,
    tied: bool = True,
    scale_output: bool = True,
    buckets: int = 32,
    max_distance: int = 128,
) -> nn.Module:
    """The network of a variant.

    Args:
        source_vocab_size, target_vocab_size: Numbers of tokens, which must be equal: there is one embedding.
        variant: ``marian``, ``m2m_100``, ``mbart`` or ``t5``.
        hidden_size, num_heads, ffn_size: Of all layers.
        num_layers, decoder_layers: Of the encoder and of the decoder; 0 for as many.
        activation: Of the feed-forward parts.
        dropout: Of embeddings, attention weights, inner features and each part's output.
        scale_embedding, max_positions: See ``Bart``; T5 has neither.
        head_size, gated, tied, scale_output, buckets, max_distance: See ``T5``; the others have none of them.

    Raises:
        ValueError: The vocabularies have different sizes.
    """
    if source_vocab_size != target_vocab_size:
        raise ValueError(
            f"{variant} needs one vocabulary, not {source_vocab_size} and {target_vocab_size} tokens: "
            "--data.shared true"
        )
    sizes: dict[str, Any] = {
        **{"hidden_size": hidden_size, "num_heads": num_heads, "ffn_size": ffn_size, "num_layers": num_layers},
        **{"decoder_layers": decoder_layers, "activation": activation, "dropout": dropout},
    }
    if variant == "t5":
        own: dict[str, Any] = {"head_size": head_size, "gated": gated, "tied": tied, "scale_output": scale_output}
        return T5(source_vocab_size, **sizes, **own, buckets=buckets, max_distance=max_distance)
    return Bart(
        source_vocab_size, variant=variant, **sizes, scale_embedding=scale_embedding, max_positions=max_positions
    )


@trains(network)
class LitPretrained(Seq2Seq):
    """A published translator, trained on or used as it is.

    Args:
        forced_bos_id: The first token of each output, such as the id of the language that is wanted in M2M-100 and
            mBART; -1 leaves it to the network. In training and in losses it stands before the target's tokens and is
            no target itself.
    """

    def __init__(self, forced_bos_id: int = -1, **task: Any) -> None:
        super().__init__(**task)
        self.forced_bos_id = forced_bos_id

    def mean_loss(self, batch: tuple[Tensor, ...], label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """As in ``Seq2Seq``, after the forced token, which is given."""
        if self.forced_bos_id >= 0:
            source, length, seen, true = batch
            forced = torch.full_like(seen[:, :1], self.forced_bos_id)
            seen = torch.cat([seen[:, :1], forced, seen[:, 1:]], 1)
            batch = (source, length, seen, F.pad(true, (1, 0), value=self.pad_id))
        return super().mean_loss(batch, label_smoothing)

    def step_function(self, memory: Any) -> Step:
        """As in ``Seq2Seq``; the first token may be forced."""
        step = super().step_function(memory)

        def forced(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
            first = state is None and self.forced_bos_id >= 0
            scores, state = step(tokens, state)
            if first:
                chosen = torch.full_like(scores, OUT)
                chosen[:, self.forced_bos_id] = 0.0
                scores = chosen
            return scores, state

        return forced
