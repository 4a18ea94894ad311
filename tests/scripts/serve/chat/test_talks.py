"""Conversations that are kept: how many, for how long, and what an answer in progress changes."""

from typing import Any

from lit_models.functional.chat_sampling import ChatSampling
from scripts.serve.chat.talks import Talk, Talks


def talk() -> Talk:
    return Talk(None, "rwkv/chat", ChatSampling(), 10)


def kept(most: int = 3) -> tuple[Talks, list[float]]:
    now = [0.0]
    return Talks(most, 60, lambda: now[0]), now


def test_the_conversation_that_was_used_the_longest_ago_makes_room() -> None:
    talks, now = kept()
    keys = [talks.add(talk()) for _ in range(3)]
    now[0] = 1
    assert talks.find(keys[0]) is not None
    fourth = talks.add(talk())
    assert len(talks) == 3 and talks.forgotten == 1
    assert [talks.find(key) is not None for key in (*keys, fourth)] == [True, False, True, True]


def test_an_unused_conversation_is_forgotten_and_an_answer_in_progress_is_a_use() -> None:
    talks, now = kept()
    first, second = talks.add(talk()), talks.add(talk())
    busy: Any = talks.find(second)
    busy.busy.acquire()
    now[0] = 61
    assert talks.find(first) is None and talks.find(second) is busy
    busy.busy.release()
    now[0] = 200
    assert len(talks) == 0 and busy.stopped.is_set()


def test_keys_cannot_be_guessed_and_a_dropped_conversation_is_gone() -> None:
    talks, _ = kept()
    keys = [talks.add(talk()) for _ in range(3)]
    assert len(set(keys)) == 3 and min(map(len, keys)) >= 32
    talks.drop(keys[0])
    assert talks.find(keys[0]) is None and talks.find("") is None and len(talks) == 2
