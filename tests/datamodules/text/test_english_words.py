"""Sentences of words, your own file, the public texts."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from datamodules.text.english_words import EnglishWords, WordFile, english_fields, split_words
from tests.datamodules.test_run_file import rows


def test_sentences_end_at_their_marks_and_words_keep_their_apostrophes() -> None:
    found = split_words("It's the king's 3 horses. Ọba dé!\nEnd -- <br />x")
    assert found == [["it's", "the", "king's", "horses"], ["ọba", "dé"], ["end"], ["x"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ọ̀rẹ́ mi. Ẹ̀kọ́ dára", [["ọ̀rẹ́", "mi"], ["ẹ̀kọ́", "dára"]]),
        ("हिन्दी नाम है।नया दिन", [["हिन्दी", "नाम", "है"], ["नया", "दिन"]]),
        ("ที่นี่ น้ำ", [["ที่นี่", "น้ำ"]]),
        ("ስሙ ነው። ዋና ከተማ", [["ስሙ", "ነው"], ["ዋና", "ከተማ"]]),
        ("ما اسمك؟ أنا", [["ما", "اسمك"], ["أنا"]]),
        ("你好。再见", [["你好"], ["再见"]]),
        ("a \u2764\ufe0f \u200d _b_ c_d x\u00b2 3rd", [["a", "b", "c", "d", "x\u00b2", "rd"]]),
    ],
)
def test_words_keep_their_marks_and_sentences_end_in_any_script(text: str, expected: list[list[str]]) -> None:
    composed = [[unicodedata.normalize("NFC", word) for word in sentence] for sentence in expected]
    assert split_words(text) == split_words(unicodedata.normalize("NFD", text)) == composed


def test_own_file_is_split_and_counted(tmp_path: Path) -> None:
    (path := tmp_path / "t.txt").write_text("the cat sat. the dog sat.\n" * 30)
    data = WordFile(str(path), batch_size=4)
    data.setup("fit")
    assert set(data.vocabulary or []) == {"the", "cat", "dog", "sat"}
    assert len(data.splits["val"][0]) == 9


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"one sentence only\n", "has 1 sentences"), (b"bad \xff byte", "byte 0xff at offset 4"), (None, "no file")],
)
def test_unusable_files_are_one_line(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        WordFile(str(path)).setup("fit")


def test_english_of_json_lines_is_found_in_each_of_their_forms(tmp_path: Path) -> None:
    (path := tmp_path / "a.jsonl").write_text(
        '{"source": ["a", "b"], "target": ["c"]}\n{"text": "d"}\n{"translation": {"en": "e", "hau": "x"}}\n'
    )
    assert list(english_fields(path)) == list("abcde")


def test_no_english_text_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    with pytest.raises(UserError, match="no English text"):
        EnglishWords().setup("fit")


def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    (tmp_path / "timemachine").mkdir()
    (tmp_path / "timemachine/timemachine.txt").write_text("The time traveller spoke.\n" * 40)
    assert EnglishWords().sentences()["train"]
    assert "does not have ptb/ptb.zip" in capsys.readouterr().err


@pytest.mark.parametrize("batches", ["windows", "counts"])
def test_another_file_is_tested_whole_and_a_changed_one_is_refused(tmp_path: Path, batches: Any) -> None:
    def of(name: str, times: int) -> WordFile:
        words = [chr(97 + k % 20) * (1 + k % 3) for k in range(7 * times)]
        (tmp_path / name).write_text("".join(" ".join(words[k : k + 7]) + "\n" for k in range(0, len(words), 7)))
        return WordFile(str(tmp_path / name), vocab_size=60, min_count=1, batches=batches)

    data = of("a", 60)
    own = rows(data, stage="fit")
    run = data.processor()
    assert rows(of("a", 60), run) == own
    other = of("b", 40)
    found = rows(other, run)
    assert set(found) == {"test"} and found["test"] == {"windows": 280, "counts": 594}[batches]
    assert "not the file of the run: all of it" in other.summary()
    with pytest.raises(UserError, match="a: its content changed since training"):
        rows(of("a", 61), run)
