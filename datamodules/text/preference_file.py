"""Your own preferences: a file of JSON lines with ``prompt``, ``chosen`` and ``rejected``.

    {"prompt": "Is it late?", "chosen": "It is ten.", "rejected": "Yes."}

    dive fit alignment/dpo --data PreferenceFile --data.path mine.jsonl

Each is a text, or a list of messages with ``role`` and ``content``, as trl has them. The last lines are for validation
and the test. The start learns the chosen answers of training, as the paper proposes where there is no other start.
"""

import json
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.run_file import KnowsItsFile
from datamodules.text.chat_template import CHAT_SPECIALS, MARKS, Message, pieces_of
from datamodules.text.files import read_text
from datamodules.text.preferences import Pair, PreferenceData
from datamodules.text.tokenizers import WordTokenizer

KEYS = ("prompt", "chosen", "rejected")
LONGEST_FOUND = 1024  # tokens that ``infer`` allows; give seq_len for more


class PreferenceFile(KnowsItsFile, PreferenceData):
    """Pairs of a file.

    Args:
        path: The file. At test time all of a file that is not the run's is tested.
        val_fraction, test_fraction: Fractions of the pairs that are held out, at the end of the file.
        vocab_size: Entries of the vocabulary; 0 means as many as the training pairs have words.
        seq_len: T; 0 means as the longest conversation.
        **loader: See ``TensorDataModule``.
    """

    def __init__(
        self,
        path: str = "",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        vocab_size: int = 0,
        seq_len: int = 0,
        **loader: Any,
    ) -> None:
        found = self.infer(path, val_fraction, test_fraction, vocab_size, seq_len)
        super().__init__(found["vocab_size"], found["seq_len"], **loader)
        self.path, self.fractions = path, (val_fraction, test_fraction)

    @staticmethod
    def infer(
        path: str = "", val_fraction: float = 0.1, test_fraction: float = 0.1, vocab_size: int = 0, seq_len: int = 0
    ) -> dict[str, int]:
        """The sizes of the vocabulary and of the longest conversation.

        Raises:
            UserError: A conversation is so long that all others, padded to it, would take hours.
        """
        if vocab_size and seq_len:
            return {"vocab_size": vocab_size, "seq_len": seq_len}
        pairs = read_pairs(path)
        cutter = WordTokenizer(CHAT_SPECIALS, CHAT_SPECIALS)
        train = texts_of(divided(pairs, val_fraction, test_fraction)["train"])
        words = {word for text in train for word in cutter.cut(cutter.prepare(text))}
        lengths = [
            sum(1 if text in MARKS else len(cutter.cut(cutter.prepare(text))) for text, _ in pieces_of(messages))
            for pair in pairs
            for messages in pair
        ]
        if not seq_len and (longest := max(lengths) - 1) > LONGEST_FOUND:
            raise UserError(
                f"{path}: pair {lengths.index(longest + 1) // 2 + 1} has {longest:,} tokens, to which all others would "
                f"be padded: shorten it, or give --data.seq_len {longest}"
            )
        return {"vocab_size": vocab_size or len(CHAT_SPECIALS) + len(words), "seq_len": seq_len or max(lengths) - 1}

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.path

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        pairs = read_pairs(self.path)
        if stage == "predict":
            if self.tokenizer is None:
                raise UserError("predicting needs a trained run: its processor.json has the vocabulary")
            return {"predict": self.pair_tensors(pairs, f"{self.path}: pair")}
        if self.is_another(stage):
            return {"test" if stage == "test" else "val": self.pair_tensors(pairs, f"{self.path}: pair")}
        parts = divided(pairs, *self.fractions)
        self.learn_words(texts_of(parts["train"]))
        self.demonstrations = self.tensors([chosen for chosen, _ in parts["train"]], f"{self.path}: pair")
        return {name: self.pair_tensors(part, f"{self.path}: pair") for name, part in parts.items()}


def read_pairs(path: str) -> list[Pair]:
    """The pairs of a file of JSON lines.

    Raises:
        UserError: No such file, a line that is no JSON, or one without the three keys; no pairs at all.
    """
    pairs: list[Pair] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}, line {number} is not JSON: {error.msg}; give one object a line") from None
        if not isinstance(row, dict) or not all(row.get(key) for key in KEYS):
            lacks = [key for key in KEYS if not isinstance(row, dict) or not row.get(key)]
            raise UserError(f"{path}, line {number} has no {' and no '.join(lacks)}: give {', '.join(KEYS)}")
        asked = messages_of(row["prompt"], "user", f"{path}, line {number}")
        chosen, rejected = ([*asked, *messages_of(row[k], "assistant", f"{path}, line {number}")] for k in KEYS[1:])
        pairs.append((chosen, rejected))
    return pairs


def messages_of(value: Any, role: str, where: str) -> list[Message]:
    """A text as one message of a role, or the messages that it already is, looked through."""
    messages: list[Message] = [{"role": role, "content": value}] if isinstance(value, str) else value
    if not isinstance(messages, list):
        raise UserError(f"{where}: {value!r} is neither a text nor a list of messages")
    pieces_of(messages, where)
    return messages


def divided(pairs: Sequence[Pair], val_fraction: float, test_fraction: float) -> dict[str, Sequence[Pair]]:
    """The pairs of each split, in the order of the file; at least one for validation and test each.

    Raises:
        UserError: Fewer than three pairs, or nothing is left to train on.
    """
    held = [max(1, round(fraction * len(pairs))) for fraction in (val_fraction, test_fraction)]
    end = len(pairs) - sum(held)
    if end < 1 or min(val_fraction, test_fraction) < 0:
        raise UserError(f"{len(pairs)} pairs leave none to train on: give more, or lower data.val_fraction")
    return {"train": pairs[:end], "val": pairs[end : end + held[0]], "test": pairs[end + held[0] :]}


def texts_of(pairs: Sequence[Pair]) -> list[str]:
    """All contents."""
    return [text for pair in pairs for messages in pair for text, _ in pieces_of(messages) if text not in MARKS]
