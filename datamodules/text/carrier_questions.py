"""Questions in thirteen languages about names in a short passage; a quarter have no answer there.

Generated around CLDR's names (``datamodules/text/carriers.py``).
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from common.messages import UserError
from datamodules.text.carriers import KINDS, SENTENCES, facts
from datamodules.text.questions import Question, QuestionText


class CarrierQuestions(QuestionText):
    """Questions (``datamodules/text/carriers.py``). No name of the test is in training.

    Args:
        languages: Any of the thirteen.
        vocab_size, seq_len, longest_question, stride: Pieces of words; tokens of a row.
        train_size, val_size, test_size: Questions.
        invented: Fraction of the training names that are made of halves of two names. There are few names, some
            hundred of a kind in a language: a model that knows them by heart does not read what is said of a new one.
        **rows: See ``BertRows``.
    """

    def __init__(
        self,
        languages: Sequence[str] = tuple(SENTENCES),
        vocab_size: int = 2000,
        seq_len: int = 96,
        longest_question: int = 32,
        stride: int = 16,
        train_size: int = 20_000,
        val_size: int = 500,
        test_size: int = 1300,
        invented: float = 0.25,
        **rows: Any,
    ) -> None:
        super().__init__(stride, longest_question, vocab_size=vocab_size, seq_len=seq_len, **rows)
        if unknown := sorted(set(languages) - set(SENTENCES)):
            raise UserError(f"data.languages has no {unknown[0]!r}: choose among {', '.join(SENTENCES)}")
        self.languages = list(languages)
        self.invented = invented
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}

    def read(self, stage: str) -> dict[str, list[Question]]:
        draw = Random(0)
        found = {}
        for name, size in self.sizes.items():
            invented = self.invented if name == "train" else 0.0
            spoken = [self.languages[i % len(self.languages)] for i in range(size)]
            found[name] = [ask(draw, spoken[i], name, f"{name}-{i}", invented) for i in range(size)]
        return found


def ask(draw: Random, language: str, part: str, name: str, invented: float = 0.0) -> Question:
    """A passage of two statements, and a question about one of them, or about what it does not say."""
    said = facts(draw, language, part, 2, 2, invented)
    passage = " ".join(fact.text for fact in said)
    absent = [kind for kind in KINDS if kind not in {fact.kind for fact in said}]
    kind = draw.choice(absent) if draw.random() < 0.25 else draw.choice(said).kind
    answers = []
    place = 0
    for fact in said:
        if fact.kind == kind:
            answers.append((fact.name, place + fact.start))
        place += len(fact.text) + 1
    return Question(name, SENTENCES[language][KINDS.index(kind)][1], passage, answers)
