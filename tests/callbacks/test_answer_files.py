"""The file of answers."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from callbacks.answer_files import AnswerFiles


def test_a_row_per_question_with_its_best_answer_and_the_others(tmp_path: Path) -> None:
    data = SimpleNamespace(predict_names=["a", "b"], predict_cells={"question": ["who?", "when?"]})
    trainer: Any = SimpleNamespace(
        datamodule=data, world_size=1, is_global_zero=True, fast_dev_run=False, default_root_dir=str(tmp_path)
    )
    model: Any = SimpleNamespace(answers=lambda split, rows: {0: [("Ada", 0.75), ("", 0.25)], 1: [("", 1.0)]})
    callback = AnswerFiles(str(tmp_path / "out.csv"))
    callback.on_predict_batch_end(trainer, model, torch.zeros(2, 5), None, 0)
    callback.on_predict_epoch_end(trainer, model)
    with open(tmp_path / "out.csv", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "question", "answer", "probability", "others"]
    assert rows[1] == ["a", "who?", "Ada", "0.75", "(no answer) 0.250"] and rows[2][:3] == ["b", "when?", ""]
