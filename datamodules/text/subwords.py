"""Sub-words for classification: byte-pair encoding of lower-case words, by the library ``tokenizers``.

Frequent words are one token, rare ones several: endings and prefixes are shared, and a text in a script without spaces
has tokens at all. Number 0 is padding, 1 a character that no training text has.
"""

from collections.abc import Iterable, Sequence
from typing import Any

PAD, UNKNOWN = "<pad>", "<unk>"
LONGEST_WORD = 48  # characters of what is between two spaces; longer runs are cut: training is quadratic in the length


class Subwords:
    """Texts as the numbers of their sub-words; ``\u2581`` stands for the space before a word.

    Args:
        model: The library's tokenizer, as JSON.
    """

    def __init__(self, model: str) -> None:
        import tokenizers

        self.model = tokenizers.Tokenizer.from_str(model)
        vocabulary = self.model.get_vocab()
        self.tokens: list[str] = sorted(vocabulary, key=vocabulary.__getitem__)

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> "Subwords":
        """At most ``size`` tokens: the characters of the texts, then the most frequent pairs."""
        import tokenizers
        from tokenizers import models, normalizers, pre_tokenizers, trainers

        model = tokenizers.Tokenizer(models.BPE(unk_token=UNKNOWN))
        model.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase(), normalizers.NFC()])
        words = [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(tokenizers.Regex(rf".{{1,{LONGEST_WORD}}}"), "isolated"),
            pre_tokenizers.Metaspace(),
            pre_tokenizers.Split(tokenizers.Regex(r"[^\p{L}\p{M}\p{N}_\x{2581}\x{200c}\x{200d}]"), "isolated"),
        ]
        model.pre_tokenizer = pre_tokenizers.Sequence(words)  # type: ignore[arg-type]
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=[PAD, UNKNOWN],
            limit_alphabet=max(1, size - 2),
            min_frequency=2,
            show_progress=False,
        )
        model.train_from_iterator(texts, trainer)
        return cls(model.to_str())

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of each text."""
        return [self.model.encode(text).ids for text in texts]

    def saved(self) -> Any:
        """Plain values from which ``Subwords`` is made again."""
        return self.model.to_str()
