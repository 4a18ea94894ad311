"""An option of other data than the one in use names that data, or the run that was trained on it."""

from pathlib import Path

import pytest
import yaml

from scripts.cli import main
from scripts.front.data_options import classes_with, explain_option, of_the_same_kind
from scripts.front.runs import runs_root

MNIST = "datamodules.vision.mnist.MNIST5k"
PHOTOS = {"class_path": "datamodules.vision.image_folder.ImageFolder", "init_args": {"root": "photos"}}


def test_the_data_that_has_an_option_is_found_without_an_import() -> None:
    known = dict(classes_with("root"))
    assert known.items() >= {"ImageFolder": "vision", "VOCFolder": "vision", "AudioFolder": "audio"}.items()
    assert "CSVTable" in dict(classes_with("target")) and classes_with("batch_size") == ()


def test_data_of_the_same_kind_is_proposed() -> None:
    kinds = [kind for kind, modality in classes_with("root") if modality == "vision"]
    assert of_the_same_kind(kinds, "MNIST5k") == ["ImageFolder"]
    assert set(of_the_same_kind(kinds, "Scenes")) == {"VOCFolder", "COCOFile"}


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("root", "data.root is not an option of MNIST5k, the data of the recipe: give --data ImageFolder first"),
        ("target", "data.target is not an option of MNIST5k, the data of the recipe: give --data CSVTable"),
        ("batch_sise", "unknown key data.batch_sise: did you mean 'data.batch_size'?"),
    ],
)
def test_a_fit_with_an_option_of_other_data_names_the_data(
    option: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "cnn/lenet", f"--data.{option}", "photos"]) == 2
    assert f"dive: {says}" in capsys.readouterr().err


def test_a_prediction_with_an_option_of_other_data_names_the_run_that_was_trained_on_it() -> None:
    run = runs_root() / "cnn/lenet/1"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump({"data": PHOTOS}))
    says = explain_option("root", MNIST, Path("runs/cnn/lenet/2"), "cnn/lenet")
    assert "runs/cnn/lenet/2 was trained on MNIST5k, which has no root" in says
    assert f"{run} was trained on ImageFolder photos, give --run {run}" in says
