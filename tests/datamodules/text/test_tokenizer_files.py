"""A tokenizer that was made before: its ids are the library's own, and a run keeps it."""

import json
from pathlib import Path

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from common.messages import UserError
from datamodules.text.text_file import TextFile
from datamodules.text.tokenizer_files import FileTokenizer, load_tokenizer, read_tokenizer
from datamodules.text.tokenizers import CharTokenizer

TEXT = "".join(f"On day {i} the cat sat on mat number {i * i}; it was cafe\u0301 time.\n" for i in range(60))
SPECIAL = "<|endoftext|>"


def published(folder: Path, size: int = 300) -> Path:
    """A byte-level ``tokenizer.json`` as GPT-2's is, that puts a special token in front where it is asked to."""
    model = tokenizers.Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, special_tokens=[], show_progress=False)
    model.train_from_iterator(TEXT.splitlines(keepends=True), trainer)
    model.add_special_tokens([SPECIAL])
    model.post_processor = processors.TemplateProcessing(f"{SPECIAL} $0", special_tokens=[(SPECIAL, size)])
    model.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def test_ids_and_texts_are_the_librarys(tmp_path: Path) -> None:
    path = published(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(path))
    for source in (path, tmp_path):
        ours = read_tokenizer(source)
        assert ours.encode(TEXT) == theirs.encode(TEXT, add_special_tokens=False).ids  # the accent is not composed
        assert ours.decode(ours.encode(TEXT)) == TEXT
        assert len(ours) == 301 and ours.specials == [SPECIAL] and ours.id_of(SPECIAL) == 300
        assert ours.tokens[ours.encode("cat")[0]] == theirs.id_to_token(theirs.encode("cat").ids[1])


def test_a_run_keeps_it(tmp_path: Path) -> None:
    ours = read_tokenizer(published(tmp_path), 320)
    again = load_tokenizer(json.loads(json.dumps(ours.saved())))
    assert again.encode(TEXT) == ours.encode(TEXT) and again.tokens == ours.tokens and len(again) == 320


def test_a_model_may_have_more_entries_but_not_fewer(tmp_path: Path) -> None:
    path = published(tmp_path)
    assert read_tokenizer(path, 320).tokens[-1] == "<unused319>"
    with pytest.raises(UserError, match=r"it has 301 entries: give data\.vocab_size 301 or more"):
        read_tokenizer(path, 300)


def test_what_is_unknown_is_named() -> None:
    model = tokenizers.Tokenizer(models.WordLevel({"[UNK]": 0, "the": 1, "cat": 2}, unk_token="[UNK]"))
    model.pre_tokenizer = pre_tokenizers.Whitespace()
    ours = FileTokenizer(model.to_str())
    assert ours.encode("the dog") == [1, 0] and ours.unknown_pieces("the dog") == ["dog"]


def test_a_runs_processor_is_read_too(tmp_path: Path) -> None:
    own = CharTokenizer.train([TEXT], 60)
    own.save(tmp_path / "own.json")
    (tmp_path / "processor.json").write_text(json.dumps({"seq_len": 8, "tokenizer": own.saved()}))
    for name in ("own.json", "processor.json", ""):  # the last one is the run's folder
        assert read_tokenizer(tmp_path / name).encode("the cat") == own.encode("the cat")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no tokenizer"),
        ("{", "is not a tokenizer file"),
        ("[]", "is not a tokenizer file"),
        ("{}", "is not a tokenizer: give"),
    ],
)
def test_what_is_none_is_named(tmp_path: Path, content: str | None, says: str) -> None:
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=says):
        read_tokenizer(tmp_path / "a.json")
    (tmp_path / "b.json").write_text('{"model": {"type": "New"}}')
    with pytest.raises(UserError, match=r"b\.json cannot be used"):
        read_tokenizer(tmp_path / "b.json")


def test_a_text_is_cut_by_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    path = published(tmp_path)
    data = TextFile(path=str(tmp_path / "a.txt"), tokenizer=str(path), vocab_size=301, seq_len=16)
    data.setup("fit")
    ids = data.corpus["train"].tolist()
    assert ids[:50] == read_tokenizer(path).encode(TEXT)[:50]
    assert data.characters_per_token["test"] > 1
    path.unlink()
    later = TextFile(tokenizer=str(path), vocab_size=301, seq_len=16)
    later.load_processor(json.loads(json.dumps(data.processor())))
    assert (
        later.tokenizer is not None
        and later.tokenizer.decode(ids[:50]) == TEXT[: len(later.tokenizer.decode(ids[:50]))]
    )


def test_a_file_that_pads_and_cuts_every_text_does_neither_here() -> None:
    model = tokenizers.Tokenizer(models.WordLevel({"[UNK]": 0, "good": 1, "film": 2}, unk_token="[UNK]"))
    model.pre_tokenizer = pre_tokenizers.Whitespace()
    model.enable_padding(length=8, pad_id=0, pad_token="[UNK]")
    model.enable_truncation(3)
    assert FileTokenizer(model.to_str()).encode("good film good film") == [1, 2, 1, 2]
