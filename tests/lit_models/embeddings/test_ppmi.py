"""PPMI: the matrix by hand, the step that lands on the solution, its errors."""

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from scipy.sparse import csr_matrix

from common.messages import UserError
from datamodules.text.planted_words import PlantedWords
from lit_models.embeddings.ppmi import LitPPMI, ppmi_matrix, singular_vectors
from tests.small import small_trainer

SGD = partial(torch.optim.SGD, lr=1.0)


def test_matrix_of_two_pairs_by_hand() -> None:
    counts = (torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1]), torch.tensor([2.0, 2.0, 4.0]))
    found = ppmi_matrix(counts, 2, smoothing=1.0).toarray()
    assert found[0, 1] == pytest.approx(math.log((2 / 8) / (2 / 8 * 6 / 8)))
    assert found[1, 0] == pytest.approx(math.log((2 / 8) / (6 / 8 * 2 / 8)))
    assert found[1, 1] == 0 == found[0, 0]  # below independence; never together


def test_one_step_of_rate_one_lands_on_the_solution(tmp_path: Path) -> None:
    data = PlantedWords(num_sentences=600, batches="counts", weighted=False, batch_size=100_000)
    model = LitPPMI(vocab_size=300, embed_size=16, optimizer=SGD)
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, data)
    torch.testing.assert_close(model.vectors(), model.solve().float(), atol=1e-6, rtol=0)
    assert trainer.test(model, data, verbose=False)[0]["test/neighbors"] > 0.5


def test_too_many_singular_vectors_and_windows_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.embed_size is 4"):
        singular_vectors(csr_matrix((4, 4)), 4)
    model = LitPPMI(vocab_size=300, embed_size=4, optimizer=SGD)
    with pytest.raises(UserError, match=r"data\.batches counts"):
        small_trainer(tmp_path, max_epochs=1).fit(model, PlantedWords(num_sentences=100))
