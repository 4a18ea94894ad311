"""A user's own pairs, in one file or two, and their errors."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.parallel_text.parallel_file import ParallelFile
from tests.datamodules.test_run_file import rows

LINES = [(f"house number {i}", f"nyumba namba {i}") for i in range(40)]


def test_one_file_and_two_files_say_the_same(tmp_path: Path) -> None:
    one, source, target = (tmp_path / name for name in ("pairs.tsv", "text.en", "text.sw"))
    one.write_text("".join(f"{s}\t{t}\tnote\n" for s, t in LINES) + "\n")
    source.write_text("".join(f"{s}\n" for s, _ in LINES))
    target.write_text("".join(f"{t}\n" for _, t in LINES))
    a, b = ParallelFile(path=str(one)), ParallelFile(path=str(source), target_path=str(target))
    assert a.pairs() == b.pairs() and [len(v) for v in a.pairs().values()] == [32, 4, 4]
    a.setup("fit")
    assert a.own_path == str(one) and a.summary().startswith(
        f"read {one}: train 32, val 4, test 4 pairs; 11% of the test"
    )
    assert a.decode_target(a.splits["train"][3]) == a.references["train"]


def test_unequal_files_say_both_counts(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\ntwo\nthree\n")
    (tmp_path / "b").write_text("moja\nmbili\n")
    with pytest.raises(UserError, match=r"a has 3 lines, .*b has 2"):
        ParallelFile(path=str(tmp_path / "a"), target_path=str(tmp_path / "b")).pairs()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("one\tmoja\ntwo\n", ":2 is not source<TAB>target"),
        ("one\tmoja\n", "too few"),
        ("\tx\n", ":1 "),
    ],
)
def test_a_file_without_pairs_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        ParallelFile(path=str(path)).pairs()


def test_fractions_that_leave_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="val_fraction"):
        ParallelFile(path="x", val_fraction=0.5, test_fraction=0.5)


def pairs_file(path: Path, lines: list[tuple[str, str]] = LINES) -> str:
    path.write_text("".join(f"{s}\t{t}\n" for s, t in lines), encoding="utf-8")
    return str(path)


def test_sizes_are_found_and_nothing_of_the_training_pairs_is_unknown(tmp_path: Path) -> None:
    long = [(" ".join(f"w{i * k % 331}" for k in range(1, 50)), f"t{i}") for i in range(60)]
    data = ParallelFile(path=pairs_file(tmp_path / "a.tsv", long))
    data.setup("fit")
    source, _, _, target = data.splits["train"]
    assert data.max_length == 1 + max(len(data.source_tokenizer.cut(s)) for s, _ in long)  # type: ignore[union-attr]
    assert not (source == 3).any() and not (target == 3).any() and (source == 2).any(1).all()
    assert ParallelFile.infer(str(tmp_path / "a.tsv"), source_vocab_size=50, max_length=9) == {
        "source_vocab_size": 50,
        "target_vocab_size": data.target_vocab_size,
        "max_length": 9,
    }


def test_sizes_of_a_recipe_are_not_those_of_own_pairs(tmp_path: Path) -> None:
    from scripts.front.build import build

    words = ["rnn/bahdanau", "--data", "ParallelFile", "--data.path", pairs_file(tmp_path / "a.tsv")]
    data = build(words)[2]
    assert data.source_vocab_size < 30 and data.max_length < 12
    assert build([*words, "--data.max_length", "40"])[2].max_length == 40


def test_longer_pairs_are_left_out_and_counted_and_all_is_refused(tmp_path: Path) -> None:
    path = pairs_file(tmp_path / "a.tsv", [*LINES, *((f"{s} {s} {s}", t) for s, t in LINES[:9])])
    data = ParallelFile(path=path, max_length=7)
    data.setup("fit")
    assert "9 of 49 pairs have more than data.max_length 7 tokens and are left out" in data.summary()
    assert all((tensors[3] == 2).any(1).all() for name, tensors in data.splits.items() if name != "predict")
    with pytest.raises(UserError, match=r"all .* pairs of the train split have more than data.max_length 3"):
        ParallelFile(path=path, max_length=3).setup("fit")


def test_small_vocabularies_are_said(tmp_path: Path) -> None:
    data = ParallelFile(path=pairs_file(tmp_path / "a.tsv"), source_vocab_size=5)
    data.setup("fit")
    assert "of the train source tokens are not in the vocabulary" in data.summary()


def trained(tmp_path: Path, path: str, **more: str) -> ParallelFile:
    first = ParallelFile(path=pairs_file(tmp_path / "a.tsv"))
    first.setup("fit")
    sizes = {name: getattr(first, name) for name in ("source_vocab_size", "target_vocab_size", "max_length")}
    again = ParallelFile(path=path, **sizes, **more)  # type: ignore[arg-type]
    again.load_processor(first.processor())
    return again


def test_every_line_is_predicted_in_order_beside_its_source(tmp_path: Path) -> None:
    new = tmp_path / "new.txt"
    new.write_text("house number 3\n\nhouse house house house house house house\nnumber 1\tignored\n")
    data = trained(tmp_path, str(new))
    data.setup("predict")
    source, length = data.splits["predict"]
    assert data.predict_names == ["1", "2", "3", "4"] and length.tolist()[1] == 1 and source[1, 0] == 2
    assert data.predict_cells["source"] == [
        "house number 3",
        "",
        "house house house house house house house",
        "number 1",
    ]
    assert "1 empty lines stay empty" in data.summary() and "1 of 4 sources are longer than the" in data.summary()


def test_other_pairs_and_a_test_file_are_tested_whole(tmp_path: Path) -> None:
    other = pairs_file(tmp_path / "b.tsv", [("house", "nyumba"), ("number " * 9, "namba"), ("number", "namba")])
    data = trained(tmp_path, other)
    data.setup("test")
    assert (
        len(data.splits["test"][0]) == 3 and data.other_file and data.references["test"] == ["nyumba", "namba", "namba"]
    )
    data = trained(tmp_path, str(tmp_path / "a.tsv"), test_path=other)
    data.setup("fit")
    data.setup("test")
    assert len(data.splits["train"][0]) == 36 and len(data.splits["test"][0]) == 3
    assert set(data.baselines()) == {"baseline", "chance", "words"}


def test_another_file_is_restored_as_the_split_of_a_denoising_run_is(tmp_path: Path) -> None:
    data = trained(tmp_path, pairs_file(tmp_path / "b.tsv", [("house", "nyumba")]), objective="denoise")
    data.setup("test")
    assert data.references["test"] == ["house", "nyumba"] == data.sources["test"]


def test_translations_that_are_in_no_split_are_counted(tmp_path: Path) -> None:
    path = pairs_file(tmp_path / "a.tsv", [*LINES, *((s, f"{t} tena") for s, t in LINES)])
    data = ParallelFile(path=path)
    data.setup("fit")
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [64, 4, 4]
    assert "8 further translations of validation and test sources are not used" in data.facts


def test_a_pair_of_files_is_known_again_by_both(tmp_path: Path) -> None:
    def of(source: str, target: str) -> ParallelFile:
        sizes = {"source_vocab_size": 50, "target_vocab_size": 50, "max_length": 9}
        return ParallelFile(path=str(tmp_path / source), target_path=str(tmp_path / target), **sizes)  # type: ignore[arg-type]

    for name, side, count in (("a.en", 0, 40), ("a.sw", 1, 40), ("b.en", 0, 30), ("b.sw", 1, 30)):
        (tmp_path / name).write_text("".join(f"{line[side]}\n" for line in LINES[:count]))
    data = of("a.en", "a.sw")
    assert rows(data, stage="fit")["train"] == 32
    run = data.processor()
    assert rows(of("a.en", "a.sw"), run)["test"] == 4 and rows(of("b.en", "b.sw"), run) == {"test": 30}
    (tmp_path / "c.sw").write_text("".join(f"{target} tena\n" for _, target in LINES))
    with pytest.raises(UserError, match=r"a.en and .*c.sw: the content of one of them changed .*--data.test_path with"):
        rows(of("a.en", "c.sw"), run)
    (tmp_path / "a.sw").write_text("".join(f"{target} tena\n" for _, target in LINES))
    with pytest.raises(UserError, match=r"a.en and .*a.sw: the content of one of them changed since training"):
        rows(of("a.en", "a.sw"), run)


def test_the_largest_length_is_that_of_all_pairs(tmp_path: Path) -> None:
    """Byte pairs of training cut the words of the other parts into more pieces."""
    lines = [(f"good morning number {i}", f"habari ya asubuhi {i}") for i in range(40)]
    path = pairs_file(tmp_path / "pairs.tsv", lines)
    parts = ParallelFile(path=path).pairs()
    held = {pair for name in ("val", "test") for pair in parts[name]}
    strange = [(f"{s} zyxwvuts", t) if (s, t) in held else (s, t) for s, t in lines]
    data = ParallelFile(path=pairs_file(tmp_path / "strange.tsv", strange), tokenizer="bpe", shared=True)
    data.setup("fit")
    assert {name: len(rows) for name, rows in data.pairs().items()} == {
        name: len(data.splits[name][0]) for name in ("train", "val", "test")
    }


def test_without_a_path_the_line_says_what_the_file_has() -> None:
    with pytest.raises(
        UserError, match=r"data.path is not given: --data.path FILE.tsv names your lines of source<TAB>"
    ):
        ParallelFile()
