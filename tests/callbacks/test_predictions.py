"""predictions.csv: names, labels as words, one column per class, ranks back in order."""

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor

from callbacks.predictions import Predictions
from tests.small import Points, SmallNet, small_trainer


def test_a_row_has_its_name_its_label_and_its_probabilities(tmp_path: Path) -> None:
    data, model = Points(), SmallNet()
    data.predict_names = [f"point {k}" for k in range(11)]
    trainer = small_trainer(tmp_path, Predictions())
    trainer.predict(model, datamodule=data)
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert [row["name"] for row in rows] == data.predict_names
    logits = model.eval()(data.splits["predict"][0])
    assert [row["label"] for row in rows] == [data.class_names[i] for i in logits.argmax(1)]
    written = torch.tensor([[float(row[f"p({name})"]) for name in data.class_names] for row in rows])
    torch.testing.assert_close(written, logits.softmax(1), atol=1e-5, rtol=1e-5)


def test_the_tables_cells_are_written_back_and_clashing_headings_renamed(tmp_path: Path) -> None:
    data = Points()
    data.predict_cells = {"size": [str(k) for k in range(11)], "label": ["?"] * 11}  # type: ignore[attr-defined]
    small_trainer(tmp_path, Predictions()).predict(SmallNet(), datamodule=data)
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert [row["size"] for row in rows] == [str(k) for k in range(11)]
    assert {row["label"] for row in rows} == {"?"} and {row["predicted label"] for row in rows} <= {*data.class_names}


def test_predictions_are_in_the_units_that_the_data_says(tmp_path: Path) -> None:
    data, model = Points(), SmallNet()
    data.in_units = lambda name, values: values * 1000 if name == "probabilities" else values  # type: ignore[attr-defined]
    small_trainer(tmp_path, Predictions()).predict(model, datamodule=data)
    row = next(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert sum(float(row[f"p({name})"]) for name in data.class_names) == pytest.approx(1000, abs=0.1)


def test_generated_texts_are_one_column(tmp_path: Path) -> None:
    from datamodules.parallel_text.toy import Toy
    from tests.lit_models.tasks.test_seq2seq import SmallSeq2Seq

    data = Toy(
        "copy", symbols=5, min_length=2, longest=3, train_size=20, val_size=5, test_size=10,
        source_vocab_size=9, target_vocab_size=9,
    )  # fmt: skip
    small_trainer(tmp_path, Predictions()).predict(SmallSeq2Seq(), datamodule=data)
    header, *rows = list(csv.reader((tmp_path / "predictions.csv").open()))
    assert header == ["name", "source", "target"] and len(rows) == 10


class Pictures(SmallNet):
    """Predicts a picture (1, 2, 3) for each row."""

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return {"prediction": torch.arange(6.0).reshape(1, 1, 2, 3).repeat(len(batch[0]), 1, 1, 1)}


def test_a_predicted_picture_is_a_column_a_pixel(tmp_path: Path) -> None:
    small_trainer(tmp_path, Predictions()).predict(Pictures(), datamodule=Points())
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert len(rows) == 11 and [row["prediction(5)"] for row in rows] == ["5"] * 11


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    model = SmallNet()
    for _ in range(3):
        small_trainer(tmp_path, Predictions()).predict(model, datamodule=Points())
    first, *others = sorted(path.name for path in tmp_path.glob("*.csv"))
    assert first == "predictions.csv" and len(others) == 2 and all(name.startswith("predictions_2") for name in others)
    small_trainer(tmp_path, Predictions(str(tmp_path / "deep/mine.csv"))).predict(model, datamodule=Points())
    assert (tmp_path / "deep/mine.csv").read_text() == (tmp_path / "predictions.csv").read_text()


class Forecasts(SmallNet):
    """Predicts four steps for each row."""

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return {"forecast": torch.arange(4.0).repeat(len(batch[0]), 1)}


def test_a_forecast_has_a_row_for_each_step(tmp_path: Path) -> None:
    data = Points(rows=1)
    data.predict_steps = ["2020", "2021", "2022", "2023"]  # type: ignore[attr-defined]
    data.in_units = lambda name, values: values * 10  # type: ignore[attr-defined]
    small_trainer(tmp_path, Predictions()).predict(Forecasts(), datamodule=data)
    rows = list(csv.reader((tmp_path / "predictions.csv").open()))
    assert rows == [["name", "forecast"], ["2020", "0.0"], ["2021", "10.0"], ["2022", "20.0"], ["2023", "30.0"]]


def test_each_clip_of_a_video_has_a_column_with_its_class(tmp_path: Path) -> None:
    predictions, trainer = Predictions(), small_trainer(tmp_path)
    trainer.datamodule = Points()  # type: ignore[attr-defined]
    clips = torch.tensor([[[0.1, 0.7, 0.2], [0.6, 0.2, 0.2]], [[0.1, 0.1, 0.8], [0.0, 0.9, 0.1]]])
    predictions.write(trainer, {"label": torch.tensor([0, 1]), "clips": clips})
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert [(row["clip 1"], row["clip 2"]) for row in rows] == [("right", "left"), ("top", "right")]
