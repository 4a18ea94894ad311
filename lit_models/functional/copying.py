"""Words that are in no vocabulary, by their places in a source: the k-th different one of a document is entry V + k.

A source's ids from V on are words beyond the vocabulary, whose numbers another run does not know
(``datamodules/summaries/copy_text.py``). A network that writes V + k says "the document's k-th such word", whatever it
is: ``places`` and ``as_places`` go from ids to these entries, ``as_ids`` back.
"""

import torch
from torch import Tensor

UNKNOWN = 3  # the id of a word that cannot be said


def known(tokens: Tensor, vocab_size: int) -> Tensor:
    """Ids with ``<unk>`` for words beyond the vocabulary: what an embedding can read."""
    return tokens.masked_fill(tokens >= vocab_size, UNKNOWN)


def places(source: Tensor, source_length: Tensor, vocab_size: int, max_copied: int) -> Tensor:
    """The entry of the output (B, S) that each word of a source (B, S) is; ``<unk>`` behind ``max_copied`` of them."""
    place = torch.arange(source.shape[1], device=source.device)
    beyond = (source >= vocab_size) & (place < source_length[:, None])
    first = (source[:, :, None] == source[:, None]).int().argmax(2)  # (B, S): where the word stands first
    new = beyond & (first == place)
    number = (new.cumsum(1) - 1).gather(1, first)
    kept = torch.where(number < max_copied, vocab_size + number, UNKNOWN)
    return torch.where(beyond, kept, known(source, vocab_size))


def as_places(tokens: Tensor, source: Tensor, entries: Tensor, vocab_size: int) -> Tensor:
    """A target's ids (B, T) as entries; ``<unk>`` for a word beyond the vocabulary that the source does not have."""
    same = tokens[:, :, None] == source[:, None]  # (B, T, S)
    copied = entries.gather(1, same.int().argmax(2))
    there = same.any(2) & (copied >= vocab_size)
    return torch.where(tokens >= vocab_size, torch.where(there, copied, UNKNOWN), tokens)


def as_ids(written: Tensor, source: Tensor, entries: Tensor, vocab_size: int) -> Tensor:
    """The other way: entries that were written (B, T) as ids; ``<unk>`` for one that the source does not have."""
    same = written[:, :, None] == entries[:, None]
    copied = torch.where(same.any(2), source.gather(1, same.int().argmax(2)), UNKNOWN)
    return torch.where(written >= vocab_size, copied, written)
