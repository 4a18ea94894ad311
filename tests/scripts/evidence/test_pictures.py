"""The pictures of the pages: each says where it comes from, one run serves several, and none is large."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.messages import UserError
from scripts.evidence import pictures
from scripts.evidence.pages import DOCS, all_pages
from scripts.evidence.pictures import MOST_BYTES, main, pictures_of, renew, small_png
from scripts.front.recipes import find_recipe

ALL = [picture for page in all_pages() for picture in pictures_of(page)]


def test_every_picture_of_the_pages_says_where_it_comes_from() -> None:
    shown = {
        (page.parent / path).resolve()
        for page in all_pages()
        for path in re.findall(r"!\[[^\]]*\]\(([^)]+\.(?:png|gif))\)", page.read_text())
    }
    assert (
        shown
        == {picture.path.resolve() for picture in ALL}
        == {p.resolve() for ending in ("png", "gif") for p in DOCS.rglob(f"*.{ending}")}
    )


@pytest.mark.parametrize("picture", ALL, ids=lambda picture: picture.path.stem)
def test_a_kept_picture_is_small_and_its_recipe_is_known(picture: pictures.Picture) -> None:
    assert picture.path.stat().st_size <= MOST_BYTES
    for recipe in picture.recipe.removeprefix("serve/").removeprefix("curves/").split(","):
        assert recipe.startswith("results/") or find_recipe(recipe).name == recipe


def page(folder: Path, text: str) -> Path:
    path = folder / "some.md"
    path.write_text(text)
    return path


def test_one_run_makes_all_pictures_of_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""
    for name, arguments in (("a", ""), ("b", ""), ("a", "--model.dropout 0 ")):
        text += f"<!--picture mlp/mlp {arguments}{name}.png-->\n![x](pictures/{name}{len(arguments)}.png)\n"
    trained = []

    def train(recipe: str, arguments: str, folder: str) -> Path:
        trained.append((recipe, arguments))
        for name in "ab":
            Image.new("RGB", (8, 8)).save(Path(folder) / f"{name}.png")
        return Path(folder)

    monkeypatch.setattr(pictures, "train", train)
    monkeypatch.setattr(pictures, "DOCS", tmp_path)
    renew(pictures_of(page(tmp_path, text)))
    assert trained == [("mlp/mlp", ""), ("mlp/mlp", "--model.dropout 0")]
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == ["a0.png", "a18.png", "b0.png"]


def test_curves_are_of_five_seeds_of_each_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[str]] = []

    def record(verb: str, words: list[str], folder: str) -> None:
        made.append([verb, *words])
        if verb == "curves":
            Image.new("RGB", (9, 9)).save(words[words.index("--out") + 1])

    monkeypatch.setattr(pictures, "made_by", record)
    monkeypatch.setattr(pictures, "DOCS", tmp_path)
    text = "<!--picture curves/mlp/mlp,cnn/lenet --metric val/acc curves.png-->\n![x](pictures/c.png)\n"
    renew(pictures_of(page(tmp_path, text)))
    assert [words[1] for words in made if words[0] == "fit"] == ["mlp/mlp"] * 5 + ["cnn/lenet"] * 5
    assert [words[-1] for words in made if words[0] == "fit"][:5] == list("01234")
    assert made[-1][:5] == ["curves", "mlp/mlp", "cnn/lenet", "--metric", "val/acc"]
    assert (tmp_path / "pictures" / "c.png").is_file()


def test_a_marker_without_its_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="on the next line"):
        pictures_of(page(tmp_path, "<!--picture mlp/mlp a.png-->\n\n![x](pictures/a.png)\n"))


def test_a_topic_without_pictures_is_refused() -> None:
    with pytest.raises(UserError, match="linear"):
        main(["linaer"])


def test_a_large_picture_is_made_small_and_a_small_one_stays(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    for name, pixels in (("large", noise), ("small", noise[:20, :20])):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    assert len(small_png(tmp_path / "large.png", 20_000)) <= 20_000
    (tmp_path / "again.png").write_bytes(small_png(tmp_path / "small.png"))
    assert (np.asarray(Image.open(tmp_path / "again.png")) == noise[:20, :20]).all()
