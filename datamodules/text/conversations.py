"""The base of conversations for language models: a chat template, words and digits as tokens, only answers as targets.

Batches of instructions are ``(tokens, targets)``, both (B, T) int64; those of preferences have two of each.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from datamodules.base import TensorDataModule
from datamodules.text.chat_template import CHAT_SPECIALS, CHAT_TEMPLATE, END, Message, encode_chat
from datamodules.text.tokenizer_files import load_tokenizer
from datamodules.text.tokenizers import Tokenizer, WordTokenizer

DIGITS = "0123456789"


class Conversations(TensorDataModule):
    """Conversations as tensors. A subclass supplies ``load`` and its vocabulary.

    Args:
        vocab_size: Entries of the vocabulary.
        seq_len: T, to which conversations are padded.
        **loader: See ``TensorDataModule``.
    """

    links = ("vocab_size", "seq_len")
    input_means = "the ids of a conversation by the tokenizer in processor.json"
    #: Says that the targets are answers, whose exactness is to be counted.
    answers = True
    chat_template, chat_stop = CHAT_TEMPLATE, END
    items = "conversations"
    tokenizer: Tokenizer | None = None

    def __init__(self, vocab_size: int = 32, seq_len: int = 24, **loader: Any) -> None:
        super().__init__(**loader)
        self.vocab_size, self.seq_len = vocab_size, seq_len
        #: Texts (tokens, targets), each (N, T), from which the start of a policy is trained.
        self.demonstrations: tuple[Tensor, Tensor] | None = None

    def learn_words(self, texts: Iterable[str]) -> None:
        """Makes the vocabulary of training texts, once."""
        if self.tokenizer is None:
            self.tokenizer = WordTokenizer.train(texts, self.vocab_size, CHAT_SPECIALS)

    def tensors(
        self, conversations: Sequence[Sequence[Message]], where: str = "conversation", given: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        """Tokens and targets (N, T), int32; ``given``: how many messages of each are not learned (``encode_chat``)."""
        assert self.tokenizer is not None
        rows = [
            encode_chat(messages, self.tokenizer, self.seq_len, f"{where} {number}", given[number - 1] if given else 0)
            for number, messages in enumerate(conversations, 1)
        ]
        both = torch.tensor(rows, dtype=torch.int32).view(len(rows), 2, self.seq_len)
        return both[:, 0].contiguous(), both[:, 1].contiguous()

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(t.long() for t in batch)

    def processor(self) -> dict[str, Any]:
        assert self.tokenizer is not None
        return {**super().processor(), "tokenizer": self.tokenizer.saved(), "seq_len": self.seq_len}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.tokenizer = load_tokenizer(processor["tokenizer"])
