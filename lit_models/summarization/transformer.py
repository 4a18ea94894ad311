"""The transformer as a summarizer: nothing tells it to copy, attention has to learn it.

Vaswani et al. 2017 for the network (``lit_models/attention/transformer.py``); Liu and Lapata 2019 for a transformer
that writes summaries. Beside the pointer-generator: with byte pairs no name is beyond the vocabulary, but one that
training does not have must be copied piece by piece.

    dive fit summarization/transformer     headlines of documents in three languages, offline
    dive generate summarization/transformer --prompt "Nchi inaitwa Tuvalu. Siku ni Jumatatu, 5 Machi 2018." --beam 4

The numbers it reaches are in RESULTS.md.
"""

from lit_models.attention.transformer import Transformer
from lit_models.summarization.summarizer import Summarizer
from lit_models.tasks.trains import trains


@trains(Transformer)
class LitTransformerSummarizer(Summarizer):
    """``Transformer`` trained to summarize."""
