"""confusion.png: counts agree with scikit-learn, the most confident errors come first."""

from pathlib import Path

import pytest
import torch
from sklearn.metrics import confusion_matrix

from callbacks.pictures import confusion_matrix as module
from callbacks.pictures.confusion_matrix import ConfusionMatrix, draw_confusion
from tests.small import Points, SmallNet, small_trainer


def test_counts_agree_with_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(module, "draw_confusion", lambda found, n: seen.update(found) or draw_confusion(found, n))
    data, model = Points(), SmallNet()
    small_trainer(tmp_path, ConfusionMatrix(num_errors=3)).test(model, datamodule=data, verbose=False)
    x, y = data.splits["test"]
    guess = model.eval()(x).argmax(1)
    assert seen["counts"].tolist() == confusion_matrix(y, guess, labels=[0, 1, 2]).tolist()
    losses = seen["loss"].tolist()
    assert losses == sorted(losses, reverse=True) and len(losses) == min(3, int((guess != y).sum()))
    assert (tmp_path / "confusion.png").stat().st_size > 1000


@pytest.mark.parametrize("channels", [1, 3])
def test_errors_are_shown_as_images(channels: int) -> None:
    errors = {"truth": torch.tensor([0]), "prediction": torch.tensor([1]), "image": torch.rand(1, channels, 8, 8)}
    figure = draw_confusion({"counts": torch.eye(2, dtype=torch.long), **errors}, ["cat", "dog"])
    titles = [ax.get_title() for ax in figure.subfigs[1].axes]
    assert "cat > dog" in titles
