"""A BERT with a dense layer on top, fine-tuned whole, frozen, or by LoRA: what all heads share.

Devlin et al. 2019, section 3.2; D2L 16.6, which describes four heads and has code for one.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lit_models.bert.encoder import STD, Bert, initialize, mean_pooled
from lit_models.bert.weights import BertNet
from lit_models.layers.lora import add_lora, merge_lora


class BertHead(BertNet):
    """Base of the networks with a head: a subclass has ``forward``.

    Args:
        vocab_size: Number of tokens.
        num_classes: Outputs of the dense layer.
        hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id: See ``Bert``.
        init_std, init_positions: See ``Bert``.
        pooling: What a text's vector is. ``cls``: the pooled state of the first token, as published; ``mean`` of all
            states, as Sentence-BERT; ``none``: each token has its own.
        frozen: The encoder stays as it is: only the dense layer is trained.
        lora_rank: Rank of the small matrices that are trained beside the frozen encoder's; 0: there are none.
        lora_alpha: Weight of their change.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int = 2,
        hidden_size: int = 128,
        num_layers: int = 2,
        num_heads: int = 2,
        ffn_size: int = 0,
        max_length: int = 512,
        dropout: float = 0.1,
        pad_id: int = 0,
        sep_id: int = 3,
        init_std: float = STD,
        init_positions: Literal["random", "sinusoids"] = "random",
        pooling: Literal["cls", "mean", "none"] = "cls",
        frozen: bool = False,
        lora_rank: int = 0,
        lora_alpha: float = 16.0,
    ) -> None:
        nn.Module.__init__(self)
        sizes = (vocab_size, hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id)
        self.bert = Bert(*sizes, pooler=pooling == "cls", init_std=init_std, init_positions=init_positions)
        self.num_classes, self.pooling, self.frozen = num_classes, pooling, frozen
        if frozen:
            self.bert.requires_grad_(False)
        if lora_rank:
            add_lora(self.bert, lora_rank, lora_alpha)
        self.dropout = nn.Dropout(dropout)
        self.add_head(hidden_size)

    def add_head(self, hidden_size: int) -> None:
        self.classifier = nn.Linear(hidden_size, self.num_classes)
        initialize(self.classifier)

    def train(self, mode: bool = True) -> "BertHead":
        """A frozen encoder has no dropout in training either."""
        super().train(mode)
        if self.frozen:
            self.bert.eval()
        return self

    def merge_lora(self) -> None:
        """Adds the small matrices to the large ones: for exports."""
        merge_lora(self)

    def _features(self, tokens: Tensor) -> Tensor:
        states, pooled = self.bert(tokens)
        if self.pooling == "none":
            return states
        return pooled if self.pooling == "cls" else mean_pooled(states, tokens != self.bert.pad_id)

    def features(self, tokens: Tensor) -> Tensor:
        """What the dense layer gets: a vector per text (B, D), or per token (B, T, D)."""
        if not self.frozen:
            return self.dropout(self._features(tokens))
        with torch.no_grad():
            found = self._features(tokens)
        return self.dropout(found)
