"""Sizes that files know reach the model without being typed."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from common.messages import UserError
from scripts.front.build import parse
from scripts.front.inference import decided_by_files, inferred, sizes_of_run
from tests.datamodules.text.test_tokenizer_files import TEXT, published

GPT = ["attention/gpt", "--data", "TextFile", "--data.path"]


class Files:
    @staticmethod
    def infer(path: str = "", num_classes: int = 0) -> dict[str, int]:
        return {"num_classes": num_classes or 7}

    @staticmethod
    def decided_by_files(path: str = "") -> dict[str, int]:
        return {"vocab_size": 9} if path else {}


def test_infer_fills_what_is_empty_alone() -> None:
    assert inferred(Files, {"path": "a", "num_classes": 0}, ["num_classes"]) == {"num_classes": 7}
    assert inferred(Files, {"path": "a", "num_classes": 3}, ["num_classes"]) == {}
    assert inferred(object, {}, ["num_classes"]) == {}


def test_other_data_takes_the_sizes_that_a_runs_model_knows(tmp_path: Path) -> None:
    class Folder:
        def __init__(self, root: str = "", num_classes: int = 0, image_size: int = 0) -> None: ...

    (tmp_path / "config.yaml").write_text("data: {init_args: {num_classes: 6, image_size: 96, train_size: 5}}\n")
    names = ["num_classes", "image_size", "in_channels"]
    assert sizes_of_run(tmp_path, Folder, {"image_size": 32}, names) == {"num_classes": 6}
    assert sizes_of_run(None, Folder, {}, names) == {} == sizes_of_run(tmp_path / "none", Folder, {}, names)
    Folder.__name__ = "ImageFolder"  # which pictures to give a style to need no classes for
    (tmp_path / "config.yaml").write_text("data: {class_path: datamodules.vision.photo_textures.PhotoTextures}\n")
    assert sizes_of_run(tmp_path, Folder, {}, names) == {"num_classes": 1}


def test_a_file_decides_but_for_what_is_typed() -> None:
    given = {"path": "a", "vocab_size": 4}
    assert decided_by_files(Files, given, ["dive", "fit"]) == {"vocab_size": 9}
    assert decided_by_files(Files, given, ["--data.vocab_size", "4"]) == {}
    assert decided_by_files(Files, given, ["--data.init_args.vocab_size=4"]) == {}
    assert decided_by_files(Files, {"path": "", "vocab_size": 4}, []) == {}


def test_a_tokenizers_file_brings_the_size_of_the_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    words = [*GPT, str(tmp_path / "a.txt"), "--data.tokenizer", str(published(tmp_path))]
    for more, size in (([], 301), (["--data.vocab_size", "320"], 320)):
        config = parse([*words, *more]).config
        assert config.data.init_args.vocab_size == config.model.init_args.vocab_size == size


def test_a_tokenizer_that_is_neither_kind_nor_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.tokenizer is 'bpf': give char, .*, byte, or a file .* 'bpe'"):
        parse([*GPT, str(tmp_path / "a.txt"), "--data.tokenizer", "bpf"])


def test_whose_the_weights_are_stands_in_the_config(tmp_path: Path) -> None:
    net = {"net.fc.weight": torch.ones(1)}
    torch.save(
        {"pytorch-lightning_version": "2.6", "state_dict": net, "hyper_parameters": {"width": 8}}, tmp_path / "own.ckpt"
    )
    for name, origin in (("own.ckpt", "run"), ("resnet18.pth", "published")):
        config = parse(["cnn/resnet", "--model.weights", str(tmp_path / name)]).config
        assert config.model.init_args.weights_from == origin
    assert parse(["cnn/resnet"]).config.model.init_args.weights_from == "auto"


def test_a_size_that_is_found_fits_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A vision transformer cuts an image into patches of 7 pixels; the files' 32 pixels become 35."""
    for name in ("ant", "bee"):
        for i in range(5):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.new("L", (32, 32), i).save(tmp_path / name / f"{i}.png")
    words = ["attention/vit", "--data", "ImageFolder", "--data.root", str(tmp_path)]
    config = parse(words).config
    assert config.data.init_args.image_size == config.model.init_args.image_size == 35
    assert "image_size is made 35, a multiple of model.patch_size 7 near the 32" in capsys.readouterr().err
    assert parse([*words, "--model.patch_size", "8"]).config.data.init_args.image_size == 32
    assert parse([*words, "--data.image_size", "14"]).config.model.init_args.image_size == 14
