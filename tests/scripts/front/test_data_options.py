"""An option of other data than the one in use names that data, or the run that was trained on it."""

from pathlib import Path

import pytest
import yaml

from common.messages import UserError
from scripts.cli import main
from scripts.front.data_options import classes_with, explain_option, looks_at, of_the_same_kind
from scripts.front.runs import runs_root, say_which

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


def test_a_detector_looks_at_pictures_without_boxes_and_a_classifier_of_digits_does_not() -> None:
    scenes, photos = "datamodules.vision.scenes.Scenes", PHOTOS["class_path"]
    assert looks_at(scenes, str(photos)) and looks_at("datamodules.vision.camvid.CamVid", str(photos))
    assert not looks_at(MNIST, str(photos)) and not looks_at(scenes, MNIST)
    planted = ["datamodules.summaries.planted.PlantedFacts", "datamodules.summaries.planted_extracts.PlantedExtracts"]
    files = ["datamodules.summaries.summary_file.SummaryFile", "datamodules.summaries.extract_file.ExtractFile"]
    assert [[looks_at(trained, data) for data in files] for trained in planted] == [[True, False], [False, True]]
    run = runs_root() / "vision/ssd/1"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump({"data": {"class_path": scenes}}))
    say_which(run, "vision/ssd", str(photos))
    with pytest.raises(UserError, match="was trained on Scenes"):
        say_which(run, "vision/ssd", MNIST)


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
    says = explain_option("root", "datamodules.vision.cells.Cells", Path("runs/vision/cells/1"), "vision/cells")
    assert "Cells, which has no root: give --data ImageFolder first to predict without targets" in says
