"""Pokemon's sprites: any number in a folder of each, transparent ones on white."""

from pathlib import Path

import pytest
from PIL import Image

from common.messages import UserError
from datamodules.vision.pokemon import ADDRESS, Pokemon
from tests.test_configs import build, run_all_verbs


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty sprites of twenty kinds: a red square in the middle, transparent around it."""
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    for kind in range(20):
        folder = tmp_path / "pokemon" / f"{kind + 1:03}"
        folder.mkdir(parents=True)
        for number in range(2):
            sprite = Image.new("RGBA", (96, 96), (0, 0, 0, 0))
            sprite.paste((200 + kind, 0, number, 255), (32, 32, 64, 64))
            sprite.save(folder / f"{number}.png")
    return tmp_path


def test_sprites_are_split_whatever_their_kind_and_transparency_is_white(published: Path) -> None:
    data = Pokemon(image_size=24)
    data.setup("fit")
    data.setup("test")
    assert {name: len(x) for name, (x, _) in data.splits.items()} == {"train": 32, "val": 4, "test": 4}
    images, labels = data.splits["train"]
    assert images.shape == (32, 3, 24, 24) and not labels.any()
    assert (images[:, :, 0, 0] == 255).all() and (images[:, 0, 12, 12] >= 200).all()
    assert (images[:, 1:, 12, 12] < 5).all()


def test_the_recipe_runs_one_batch_of_each_verb(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ["--model.width", "4", "--data.image_size", "32", "--data.batch_size", "8"]
    run_all_verbs(build("gan/dcgan_pokemon", monkeypatch, tmp_path, *small))


def test_without_the_folder_the_message_has_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    with pytest.raises(UserError, match=f"no {tmp_path}/pokemon: unpack {ADDRESS} into {tmp_path}"):
        Pokemon().setup("fit")
