"""The transformer with a lexicon: what few pairs teach about single words is counted, not learned by gradient descent.

Arthur, Neubig and Nakamura 2016, "Incorporating discrete translation lexicons into neural machine translation", 3 and
4.1. IBM model 1 (``common/ibm_model_1.py``) makes t(target token | source token) from the training pairs in seconds. An
attention a of the decoder's output to the source says which token is to be translated next, and the lexicon's
distribution

    p_lex(w) = sum_s a_s t(w | source_s)

is added to the logits as log(p_lex(w) + epsilon): a word is probable from the first step on if the dictionary has it,
and the network learns which one, in which order and in which form. With one vocabulary for both sides (``tied: all``),
a token that the dictionary does not have stands for itself, so that names are copied.

Departs from the paper: a transformer, with one attention of its own for the lexicon (the paper's network has one
attention only); the lexicon is of parts of words, the K most probable of each, by model 1 alone.

    dive fit translation/en_yor
    dive fit translation/en_yor --model.lexicon false     the network without it
    dive test translation/en_yor                          alignment.png: the lexicon's attention

The numbers they reach are in RESULTS.md.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from common.ibm_model_1 import lexicon
from common.messages import UserError
from lit_models.attention.transformer import Transformer
from lit_models.layers.attention import length_mask, masked_softmax
from lit_models.layers.feed_forward import Activation
from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.tasks.seq2seq import Seq2Seq
from lit_models.tasks.trains import trains


class LexicalTransformer(Transformer):
    """source (B, S), source_length (B,), target_in (B, T) -> logits (B, T, V).

    The lexicon is two buffers: ``lexicon_ids`` (V_source, K) and ``lexicon_probability`` (V_source, K), zeros until
    ``LitLexicalTransformer`` fills them. With zeros all logits are shifted by one constant: the plain transformer.

    Args:
        source_vocab_size, target_vocab_size: Numbers of tokens.
        hidden_size, num_layers, num_heads, ffn_size, dropout, pre_norm, bias, activation, tied: See ``Transformer``.
        lexicon: False leaves it out.
        candidates: K, target tokens of each source token.
        epsilon: Probability of a token that the lexicon does not propose; the paper's.

    Raises:
        UserError: ``candidates`` or ``epsilon`` is not positive.
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        hidden_size: int = 256,
        num_layers: int = 2,
        num_heads: int = 4,
        ffn_size: int = 512,
        dropout: float = 0.3,
        pre_norm: bool = True,
        bias: bool = False,
        activation: Activation = "relu",
        tied: Literal["no", "output", "all"] = "no",
        lexicon: bool = True,
        candidates: int = 16,
        epsilon: float = 0.001,
    ) -> None:
        sizes = (source_vocab_size, target_vocab_size, hidden_size, num_layers, num_heads, ffn_size)
        super().__init__(*sizes, dropout, pre_norm, bias, activation, tied)
        if candidates < 1 or epsilon <= 0:
            raise UserError(f"model.candidates {candidates} and model.epsilon {epsilon}: give positive numbers")
        self.lexicon, self.epsilon = lexicon, epsilon
        self.lexicon_ids: Tensor
        self.lexicon_probability: Tensor
        self.register_buffer("lexicon_ids", torch.zeros(source_vocab_size, candidates, dtype=torch.long))
        self.register_buffer("lexicon_probability", torch.zeros(source_vocab_size, candidates))
        self.lexicon_query = nn.Linear(hidden_size, hidden_size, bias=False).requires_grad_(lexicon)
        self.lexicon_key = nn.Linear(hidden_size, hidden_size, bias=False).requires_grad_(lexicon)

    def encode(self, source: Tensor, source_length: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """The encoder's output (B, S, D), the lengths (B,), the keys of the lexicon's attention (B, S, D), source."""
        encoded, length = super().encode(source, source_length)
        return encoded, length, self.lexicon_key(encoded), source

    def attention_to_source(self, x: Tensor, memory: tuple[Tensor, ...]) -> Tensor:
        """Which source token is translated next: the decoder's output (B, T, D) -> weights (B, T, S)."""
        _, length, keys, source = memory
        scores = self.lexicon_query(x) @ keys.transpose(1, 2) / math.sqrt(x.shape[2])
        return masked_softmax(scores, length_mask(length, source.shape[1])[:, 0])

    def proposed(self, attention: Tensor, source: Tensor) -> Tensor:
        """p_lex (B, T, V) of attention (B, T, S) to source (B, S)."""
        share = attention[..., None] * self.lexicon_probability[source][:, None]  # (B, T, S, K)
        ids = self.lexicon_ids[source].flatten(1)[:, None].expand(-1, attention.shape[1], -1)  # (B, T, S K)
        nothing = share.new_zeros(*attention.shape[:2], self.head.out_features)
        return nothing.scatter_add(2, ids, share.flatten(2))

    def output(self, x: Tensor, memory: tuple[Tensor, ...]) -> Tensor:  # type: ignore[override]
        logits: Tensor = self.head(x)
        if not self.lexicon:
            return logits
        attention = self.attention_to_source(x, memory)
        with full_precision(x):
            return (
                at_least_float32(logits) + (self.proposed(at_least_float32(attention), memory[3]) + self.epsilon).log()
            )


@trains(LexicalTransformer)
class LitLexicalTransformer(Seq2Seq):
    """The transformer trained to translate, with a lexicon that is made from the training pairs at the start.

    A run that starts from another one's weights (``weights``) makes a lexicon from its own pairs too. A checkpoint has
    the lexicon.
    """

    def setup(self, stage: str) -> None:
        rows = self.data_attribute("splits", {}).get("train")
        net: Any = self.net
        if stage == "fit" and rows is not None and getattr(net, "lexicon", False):
            vocab_size, candidates = net.lexicon_ids.shape
            shared = self.hparams["tied"] == "all"
            net.lexicon_ids, net.lexicon_probability = lexicon(rows, vocab_size, candidates, self.pad_id, shared)

    def take_weights(self) -> None:
        net: Any = self.net
        own = {name: value.clone() for name, value in net.named_buffers() if name.startswith("lexicon_")}
        super().take_weights()
        for name, value in own.items():
            if bool(value.any()):
                net.get_buffer(name).copy_(value)

    @torch.no_grad()
    def alignment(self, source: Tensor, source_length: Tensor) -> tuple[Tensor, Tensor]:
        """For ``alignment.png``: generated ids (B, T) and the lexicon's attention before each of them (B, T, S)."""
        net: Any = self.net
        ids, target_in, memory = self.generate_with_inputs(source, source_length)
        return ids, net.attention_to_source(net.decoded(target_in, memory, None), memory)
