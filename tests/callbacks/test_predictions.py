"""predictions.csv: names, labels as words, one column a class, ranks back in order."""

import csv
from pathlib import Path

import torch

from callbacks.predictions import Predictions, interleave
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


def test_rows_dealt_out_to_ranks_come_back_in_order() -> None:
    whole = torch.randn(7, 2)
    assert torch.equal(interleave([whole[rank::3] for rank in range(3)]), whole)
