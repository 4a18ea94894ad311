"""Data of a kind that the model cannot read is one line, with what each is and a recipe for the data."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.cli import main
from scripts.front.wrong_data import describe, differs, explain_wrong_data
from tests.small import Points, SmallNet

QUICK = ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
TABLE = "a,b,y\n" + "".join(f"{3 * i},{i % 7},{'pq'[i % 2]}\n" for i in range(40))
TEXTS = "text,label\n" + "".join(f"{('good', 'bad')[i % 2]} film number {i},{'pq'[i % 2]}\n" for i in range(200))


@pytest.fixture
def own(tmp_path: Path) -> dict[str, list[str]]:
    """The options that bring a person's own table, texts, text and pictures."""
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "m.csv").write_text(TEXTS)
    for name in ("x", "y"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(np.full((16, 16, 3), 9 * i, dtype=np.uint8)).save(tmp_path / "photos" / name / f"{i}.png")
    return {
        "table": ["--data", "CSVTable", "--data.path", str(tmp_path / "t.csv"), "--data.target", "y"],
        "texts": ["--data", "TextTable", "--data.path", str(tmp_path / "m.csv")],
        "text": ["--data", "TextFile", "--data.path", str(tmp_path / "m.csv")],
        "photos": (photos := ["--data", "ImageFolder", "--data.root", str(tmp_path / "photos")]),
        "unlabeled": [*photos, "--data.unlabeled", "true"],
    }


@pytest.mark.parametrize(
    ("recipe", "data", "says"),
    [
        ("cnn/lenet", "table", "LitLeNet takes float (B, 1, 28, 28), CSVTable gives float (B, 2) and int (B): data of"),
        ("cnn/lenet", "text", "TextFile gives int (B, 64) and int (B, 64): data of another kind: try rnn/gru"),
        (
            "audio/mel_cnn",
            "photos",
            "ImageFolder gives float (B, 3, 16, 16) and int (B): data of another kind: try cnn",
        ),
        ("mlp/mlp_regression", "photos", "data of another kind: try cnn/lenet"),
        ("rnn/gru", "texts", "TextTable gives int (B, 4) and int (B) ("),
        ("cnn/lenet", "unlabeled", "LitLeNet learns classes, and data.unlabeled leaves none: put the images into one"),
        ("text/text_cnn", "text", "LitTextCNN needs num_classes, which TextFile does not say"),
        ("rnn/seq2seq", "photos", "LitSeq2Seq needs source_vocab_size, which ImageFolder does not say"),
    ],
)
def test_data_of_the_wrong_kind_is_one_line(
    recipe: str, data: str, says: str, own: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", recipe, *own[data], *QUICK]) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("dive: "))
    assert says in line


def trainer(step: int = 0) -> SimpleNamespace:
    data = Points()
    data.setup("fit")
    return SimpleNamespace(lightning_module=SmallNet(), datamodule=data, global_step=step)


def test_an_error_of_the_model_itself_is_left_as_it_is() -> None:
    ready = trainer()
    ready.lightning_module.example_input = torch.zeros(1, 2)
    assert explain_wrong_data(RuntimeError("of the code"), ready, swapped=False) is None
    ready.lightning_module.example_input = torch.zeros(1, 3)
    assert explain_wrong_data(RuntimeError("of the data"), ready, swapped=False) is not None
    late = trainer(step=5)
    late.lightning_module.example_input = torch.zeros(1, 3)
    assert explain_wrong_data(RuntimeError("later"), late, swapped=True) is None


def test_lengths_of_texts_may_differ_and_sizes_of_pictures_may_not() -> None:
    tokens, labels = torch.zeros(4, 7, dtype=torch.long), torch.zeros(4, dtype=torch.long)
    assert not differs(tokens[:1, :3], (tokens, labels))
    assert differs(torch.zeros(1, 1, 28, 28), (torch.zeros(4, 1, 32, 32), labels))
    assert differs((tokens, labels, tokens), (tokens, labels))
    assert describe((torch.zeros(4, 2), labels)) == "float (B, 2) and int (B)"
