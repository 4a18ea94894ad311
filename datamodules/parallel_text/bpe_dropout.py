"""BPE dropout: the same word cut differently each time, so that a network sees all its parts.

Provilkov et al. 2020, "BPE-Dropout: simple and effective subword regularization". The merges of a byte-pair vocabulary
are applied from the one learned first to the last; here each possible merge is left out with a probability, at each
step anew. With probability 0 the tokens are those of the vocabulary, with 1 the bytes. For training only: a text that
is translated is cut without it.

The library ``tokenizers`` has it too (``models.BPE(dropout=)``), but draws from a generator that cannot be seeded: a
run could not be repeated or resumed. Here, in Python, an epoch of 10,000 pairs takes some seconds more.
"""

import json
import random
from itertools import pairwise

from common.messages import UserError
from datamodules.text.tokenizers import BPETokenizer, Tokenizer


class BPEDropout:
    """Cuts texts as a tokenizer does, but for merges that are left out.

    Args:
        tokenizer: Of kind ``bpe``, which has the merges.
        dropout: The probability that a possible merge is left out at a step: 0.1 in the paper.

    Raises:
        UserError: The probability is not one, or the tokenizer has no merges.
    """

    def __init__(self, tokenizer: Tokenizer, dropout: float) -> None:
        if not 0 <= dropout <= 1:
            raise UserError(f"data.bpe_dropout is {dropout}: give a probability, such as 0.1")
        if not isinstance(tokenizer, BPETokenizer):
            raise UserError(f"data.bpe_dropout is for data.tokenizer bpe: {tokenizer.kind} has no merges to leave out")
        self.tokenizer, self.dropout = tokenizer, dropout
        merges = json.loads(tokenizer.model.to_str())["model"]["merges"]
        self.rank = {tuple(pair.split(" ") if isinstance(pair, str) else pair): k for k, pair in enumerate(merges)}

    def encode(self, text: str, draw: random.Random) -> list[int]:
        """The ids of a text."""
        ids: list[int] = []
        for word in self.words(self.tokenizer.prepare(text)):
            ids += [self.tokenizer.ids[token] for token in self.cut(word, draw)]
        return ids

    def words(self, text: str) -> list[str]:
        """The words of a prepared text, as printable signs of their bytes; a special token stands by itself."""
        found: list[str] = []
        encoding = self.tokenizer.model.encode(text, add_special_tokens=False)
        last = -2  # the number of the word that was seen last
        for token, word in zip(encoding.tokens, encoding.word_ids, strict=True):
            if word is not None and word == last and token not in self.tokenizer.specials:
                found[-1] += token
            else:
                found.append(token)
            last = -2 if token in self.tokenizer.specials or word is None else word
        return found

    def cut(self, word: str, draw: random.Random) -> list[str]:
        """The tokens of a word (algorithm 1 of the paper)."""
        if word in self.tokenizer.specials:
            return [word]
        tokens, rank, dropout, chance = list(word), self.rank, self.dropout, draw.random
        while True:
            possible = [
                (rank[pair], i) for i, pair in enumerate(pairwise(tokens)) if pair in rank and chance() >= dropout
            ]
            if not possible:
                return tokens
            _, i = min(possible)
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
