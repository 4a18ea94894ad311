"""Film reviews: the fixed split."""

from pathlib import Path

import pytest

from datamodules.text.rt_polarity import RTPolarity


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    folder = tmp_path / "rt-polaritydata"
    folder.mkdir()
    for name, word in (("neg", "dull"), ("pos", "fine")):
        lines = [f"{word} film number {i} ." for i in range(40)] + [""]
        (folder / f"rt-polarity.{name}").write_text("\n".join(lines))


def test_split_is_fixed_and_even_and_no_snippet_is_in_two(files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = RTPolarity(test_size=10, val_size=10).read("fit")
    assert {name: len(lines) for name, (lines, _) in parts.items()} == {"train": 60, "val": 10, "test": 10}
    assert len({line for lines, _ in parts.values() for line in lines}) == 80
    for lines, y in parts.values():
        assert y is not None and y.float().mean() == 0.5
        assert [("fine" in line) for line in lines] == y.bool().tolist()
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    assert RTPolarity(test_size=10, val_size=10).read("fit")["test"][0] == parts["test"][0]


@pytest.mark.realdata
def test_published_files() -> None:
    parts = RTPolarity().read("fit")
    assert sum(len(lines) for lines, _ in parts.values()) == 10_662
    data = RTPolarity()
    data.setup("fit")
    assert data.vocabulary is not None and len(data.vocabulary) == 10_000
    cut = (data.splits["train"][0][:, -1] != 0).float().mean()
    assert cut < 0.01  # the length holds nearly all of them
