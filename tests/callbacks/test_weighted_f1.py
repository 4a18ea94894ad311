"""The F1 of classes by their frequency, as scikit-learn's."""

from pathlib import Path

import pytest
import torch
from sklearn.metrics import f1_score

from callbacks.weighted_f1 import WeightedF1
from tests.datamodules.text.test_labeled_text import Few
from tests.small import small_trainer


def test_the_f1_is_that_of_scikit_learn_over_all_batches(tmp_path: Path) -> None:
    from lit_models.text.text_cnn import LitTextCNN

    data = Few(batch_size=2, eval_batch_size=2)
    torch.manual_seed(0)
    model = LitTextCNN(vocab_size=10, num_classes=2, seq_len=5, embed_size=8)
    trainer = small_trainer(tmp_path, WeightedF1())
    (found,) = trainer.test(model, data, verbose=False)
    x, y = data.splits["test"]
    guess = model(x.long()).argmax(1)
    assert found["test/f1"] == pytest.approx(f1_score(y, guess, average="weighted", zero_division=0), abs=1e-5)
