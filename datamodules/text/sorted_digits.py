"""Questions whose answers a program checks: sort the digits. The reward is exact, or has a hole.

A batch is ``(prompts (B, P), answers (B, L))``, int64: all questions have as many digits, so that a batch of prompts
has one length. Samples of a policy are scored by ``rewards``.

- ``exact``: 1 if the answer is right.
- ``ordered``: 1 if the answer's digits do not fall. Every right answer has it, but an answer of one digit has it too,
  and one of no digit: nothing says that the digits must be those of the question.
"""

import random
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.chat_template import END, turn
from datamodules.text.conversations import DIGITS, Conversations


class SortedDigits(Conversations):
    """Prompts and their right answers.

    Args:
        length: Digits of a question.
        reward: What the policy is paid for: ``exact`` or ``ordered``.
        train_size, val_size, test_size: Prompts of each split.
        demonstration_size: Questions with their right answer for the start.
        vocab_size, seq_len: See ``Conversations``.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: ``seq_len`` is shorter than a question with its answer, or there are fewer questions.
    """

    answers = False  # what is counted is what the policy says by itself

    def __init__(
        self,
        length: int = 5,
        reward: Literal["exact", "ordered"] = "exact",
        train_size: int = 800,
        val_size: int = 100,
        test_size: int = 300,
        demonstration_size: int = 3000,
        vocab_size: int = 32,
        seq_len: int = 16,
        **loader: Any,
    ) -> None:
        super().__init__(vocab_size, seq_len, **loader)
        if reward not in ("exact", "ordered"):
            raise UserError(f"data.reward is {reward!r}: give exact or ordered")
        if not length >= 1 or 2 * length + 5 > seq_len:
            raise UserError(f"data.length is {length}: a question and its answer have {2 * length + 5} tokens, "
                            f"data.seq_len is {seq_len}")  # fmt: skip
        self.length, self.reward = length, reward
        self.sizes = {"train": train_size, "val": val_size, "test": test_size, "start": demonstration_size}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        self.learn_words([":", "sort", *DIGITS])
        assert self.tokenizer is not None
        draw, total = random.Random(0), sum(self.sizes.values())
        found: dict[str, None] = {}
        for _ in range(50 * total):
            found.setdefault("".join(draw.choice(DIGITS) for _ in range(self.length)))
            if len(found) == total:
                break
        else:
            raise UserError(f"there are fewer than {total} questions: lower data.train_size or raise data.length")
        questions, splits, start = list(found), {}, 0
        for name, size in self.sizes.items():
            part = questions[start : start + size]
            start += size
            if name == "start":
                self.demonstrations = self.tensors([turn(f"sort:{q}", "".join(sorted(q))) for q in part])
                continue
            prompts = [self.tokenizer.encode(self.chat_template.format(f"sort:{q}")) for q in part]
            answers = [self.tokenizer.encode("".join(sorted(q)) + END) for q in part]
            splits[name] = torch.tensor(prompts).int(), torch.tensor(answers).int()
        return {**splits, "predict": splits["test"]}

    def rewards(self, completions: Tensor, answers: Tensor) -> dict[str, Tensor]:
        """What completions (N, L) earn, each (N,): ``exact``, ``ordered``, and ``reward``, the one that is paid.

        Args:
            completions: Tokens up to ``<end>``, which is repeated to their length; at least as long as an answer.
            answers: The right ones (N, length + 1), ``<end>`` last.

        Raises:
            UserError: No completion can be as long as an answer.
        """
        assert self.tokenizer is not None
        end = self.tokenizer.id_of(END)
        longer = completions.shape[1] - answers.shape[1]
        if longer < 0:
            raise UserError(
                f"model.max_tokens is {completions.shape[1]}: an answer has {answers.shape[1]}; give as many"
            )
        right = torch.cat([answers, answers.new_full((len(answers), longer), end)], 1)
        worth = torch.full((len(self.tokenizer),), float("nan"), device=completions.device)
        worth[[self.tokenizer.ids[digit] for digit in DIGITS]] = torch.arange(10.0, device=completions.device)
        worth[end] = 10.0  # greater than any digit: nothing falls at the end
        values = worth[completions]
        follows = values[:, 1:] >= values[:, :-1]  # False beside a token that is neither a digit nor the end
        ends = completions[:, -1] == end
        found = {
            "exact": (completions == right).all(1).float(),
            "ordered": (follows.all(1) & ends & ~values[:, 0].isnan()).float(),
        }
        return {"reward": found[self.reward], **found}
