"""Sorted digits: prompts of one length, exact rewards, and the hole of the other reward."""

import pytest
import torch

from common.messages import UserError
from datamodules.text.sorted_digits import SortedDigits


def data(reward: str = "exact") -> SortedDigits:
    found = SortedDigits(3, reward, 20, 5, 5, 10)  # type: ignore[arg-type]
    found.setup("fit")
    return found


def test_a_prompt_ends_where_the_answer_begins() -> None:
    found = data()
    prompts, answers = found.splits["train"]
    assert found.tokenizer is not None
    assert prompts.shape == (20, 8) and answers.shape == (20, 4)
    asked, answer = found.tokenizer.decode(prompts[0].tolist()), found.tokenizer.decode(answers[0].tolist())
    digits = asked.split(":")[1][:3]
    assert found.tokenizer.tokens[int(prompts[0, -1])] == "<assistant>" and answer[:3] == "".join(sorted(digits))


@pytest.mark.parametrize(
    ("text", "exact", "ordered"),
    [("134", 1, 1), ("143", 0, 0), ("13", 0, 1), ("", 0, 1), ("1344", 0, 1), ("13445", 0, 0), ("1sort", 0, 0)],
)
def test_what_the_two_rewards_pay(text: str, exact: int, ordered: int) -> None:
    """An answer that has not ended is not paid; the empty one is, by the reward with the hole."""
    found = data("ordered")
    assert found.tokenizer is not None
    end = found.tokenizer.id_of("<end>")
    ids = found.tokenizer.encode(text)
    completion = torch.tensor([(ids + [end] * 5)[:5]])
    answer = torch.tensor([[*found.tokenizer.encode("134"), end]])
    rewards = found.rewards(completion, answer)
    assert (int(rewards["exact"]), int(rewards["ordered"]), int(rewards["reward"])) == (exact, ordered, ordered)


def test_wrong_arguments_are_one_line_each() -> None:
    with pytest.raises(UserError, match=r"data.length is 6: a question and its answer have 17 tokens"):
        SortedDigits(6)
    with pytest.raises(UserError, match=r"data.reward is 'kind': give exact or ordered"):
        SortedDigits(reward="kind")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="fewer than 4200 questions"):
        SortedDigits(2).setup("fit")
