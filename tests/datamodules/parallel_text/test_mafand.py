"""MAFAND-MT: both published layouts, leaks between its parts, errors; its known numbers on the files themselves."""

import json
import os
import unicodedata
from pathlib import Path

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from common.messages import UserError
from datamodules.parallel_text.mafand import PARTS, Mafand, clean, read_part, without_leaks

ROWS = {
    "train": [("one", "moja"), ("two", "mbili"), ("thr\u2028ee", "tatu"), ("Lagos", "Lagos")],
    "dev": [("four", "nne")],
    "test": [("two", "mbili mbili"), ("Abuja", "Abuja")],
}


@pytest.fixture(params=["json", "text"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    folder = tmp_path / "lafand-mt" / f"{request.param}_files" / "en-swa"
    folder.mkdir(parents=True)
    for part, rows in ROWS.items():
        if request.param == "json":
            lines = [json.dumps({"translation": {"en": a, "swa": b}}, ensure_ascii=False) + "\n" for a, b in rows]
            (folder / f"{part}.json").write_text("".join(lines))
        else:
            for code, side in zip(("en", "swa"), zip(*rows, strict=True), strict=True):
                (folder / f"{part}.{code}").write_text("".join(f"{text}\n" for text in side))
    return folder


def test_training_pairs_that_stand_in_the_test_are_left_out(files: Path) -> None:
    pairs = Mafand().pairs()
    assert pairs["train"] == [ROWS["train"][0], *ROWS["train"][2:]]
    assert Mafand(keep_leaks=True).pairs()["train"] == ROWS["train"] and pairs["val"] == ROWS["dev"]


def test_a_training_pair_leaks_by_its_source_or_by_its_target() -> None:
    train = [("a", "x"), ("b", "new"), ("new", "y"), ("c", "z")]
    kept = without_leaks({"train": train, "val": [("b", "w")], "test": [("d", "y")]})
    assert kept["train"] == [("a", "x"), ("c", "z")] and kept["test"] == [("d", "y")]


def test_pairs_with_equal_sides_are_no_part_of_the_translated_ones(files: Path) -> None:
    data = Mafand(direction="into_english")
    assert data.pairs()["test"][0] == ("mbili mbili", "two")
    assert data.subsets == {"test": {"translated": [True, False]}}


def test_several_languages_have_tags(files: Path) -> None:
    other = files.parent / "en-yor"
    other.mkdir()
    for file in files.iterdir():
        (other / file.name.replace("swa", "yor")).write_text(file.read_text().replace('"swa"', '"yor"'))
    data = Mafand(language="swa+yor", temperature=5.0)
    pairs = data.pairs()
    assert {source.split()[0] for source, _ in pairs["train"]} == {"<2swa>", "<2yor>"} and len(pairs["val"]) == 2
    assert data.subsets["test"] == {
        "translated": [True, False, True, False],
        "swa": [True, True, False, False],
        "yor": [False, False, True, True],
    }


def test_a_language_is_named_once() -> None:
    with pytest.raises(UserError, match=r"swa\+yor\+swa names swa twice"):
        Mafand(language="swa+yor+swa")


def test_a_language_that_is_not_there_and_uneven_files_are_one_line(files: Path) -> None:
    with pytest.raises(UserError, match="there are swa"):
        Mafand(language="yor").pairs()
    if "text" in files.parent.name:
        (files / "dev.swa").write_text("nne\ntano\n")
        with pytest.raises(UserError, match=r"dev\.en has 1 lines, .*dev\.swa has 2"):
            Mafand().pairs()


@pytest.mark.slow
@pytest.mark.realdata("lafand-mt")
@pytest.mark.parametrize(
    ("language", "leaks", "copied", "equal"),
    [
        ("swa", 11, (6.2, 18.4), (470, 34)),
        ("yor", 8, (4.3, 13.3), None),
        ("ibo", 29, (2.9, 17.5), None),
        ("hau", 21, (0.3, 10.7), None),
        ("zul", 381, (4.8, 19.1), None),
    ],
)
def test_its_known_numbers(
    language: str, leaks: int, copied: tuple[float, float], equal: tuple[int, int] | None
) -> None:
    """Counted and scored independently of this project: sources of the test in training, and a copy of the source."""
    folder = Path(os.environ["DIVE_DATA"]) / "lafand-mt"
    rows = {split: clean(read_part(folder, language, part)) for split, part in PARTS.items()}
    known = {source for source, _ in rows["train"]}
    assert sum(source in known for source, _ in rows["test"]) == leaks
    sources, references = (list(side) for side in zip(*rows["test"], strict=True))
    assert BLEU().corpus_score(sources, [references]).score == pytest.approx(copied[0], abs=0.06)
    assert CHRF(word_order=2).corpus_score(sources, [references]).score == pytest.approx(copied[1], abs=0.06)
    if equal:
        assert tuple(sum(a == b for a, b in rows[split]) for split in ("train", "test")) == equal


@pytest.mark.slow
@pytest.mark.realdata("lafand-mt")
@pytest.mark.parametrize(
    ("language", "other_form", "bare"), [("yor", 22.0, 21.6), ("ibo", 64.4, 65.5), ("swa", 99.7, 99.7)]
)
def test_a_perfect_translation_without_normalization_has_a_low_score(
    language: str, other_form: float, bare: float
) -> None:

    from lit_models.functional.translation_scores import corpus_score, without_marks

    folder = Path(os.environ["DIVE_DATA"]) / "lafand-mt"
    references = [target for _, target in clean(read_part(folder, language, "test"))]
    decomposed = [unicodedata.normalize("NFD", text) for text in references]
    plain = CHRF(word_order=2).corpus_score(decomposed, [references]).score
    assert plain == pytest.approx(other_form, abs=0.1)
    assert corpus_score("chrf", decomposed, references).value == pytest.approx(100)
    unmarked = list(map(without_marks, references))
    assert corpus_score("chrf", unmarked, references).value == pytest.approx(bare, abs=0.1)
