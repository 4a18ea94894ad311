"""The base of conversations: one vocabulary of the training texts, kept by the run."""

from datamodules.text.conversations import Conversations


def test_the_vocabulary_is_made_once_and_restored_from_the_processor() -> None:
    data = Conversations(vocab_size=16)
    data.learn_words(["sort:314"])
    assert data.tokenizer is not None
    tokens = list(data.tokenizer.tokens)
    data.learn_words(["something else"])
    other = Conversations(vocab_size=16)
    other.load_processor(data.processor())
    assert other.tokenizer is not None and other.tokenizer.tokens == data.tokenizer.tokens == tokens
    assert len(tokens) == 16 and {"<user>", "<end>", "sort"} <= set(tokens)
