"""Python's documentation: real text, each paragraph once."""

from datamodules.text.python_docs import PythonDocs, docstrings, tidy, topics


def test_it_is_the_language_reference() -> None:
    texts = PythonDocs().texts()
    whole = "".join(texts.values())
    assert (
        300_000 < len(whole) < 600_000 and "lambda" in whole and "An identifier occurring as an atom is a name" in whole
    )
    assert len(texts["train"]) / len(whole) > 0.79


def test_no_paragraph_of_the_test_stands_in_the_training_text() -> None:
    texts = PythonDocs().texts()
    train = set(texts["train"].split("\n\n"))
    assert not [p for p in texts["test"].strip("\n").split("\n\n") if p in train and p.strip()]
    paragraphs = topics()
    assert len(set(paragraphs)) < len(paragraphs)  # the control: the topics do repeat some


def test_its_characters_fit_the_default_vocabulary() -> None:
    data = PythonDocs(seq_len=32)
    data.setup("fit")
    assert data.tokenizer is not None
    unknown = [(data.corpus[name] == data.tokenizer.unk_id).float().mean() for name in ("train", "val", "test")]
    assert unknown[0] == 0 and max(unknown) < 0.001


def test_docstrings_are_read_without_importing() -> None:
    found = docstrings("tex*.py")
    assert any("Wrap a single paragraph of text" in paragraph for paragraph in found)


def test_rules_and_trailing_spaces_are_taken_out() -> None:
    assert tidy("Title\n*******\n\n  text  \n\n\n") == ["Title\n**", "  text"]
