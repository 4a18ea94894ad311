"""From distributions to texts. The beam is compared with a sum over all paths in ``dive verify rnn/prefix_beam``."""

import numpy as np
import pytest
import torch

from lit_models.functional.character_ngram import CharacterNgram
from lit_models.functional.ctc import ctc_loss
from lit_models.functional.ctc_decoding import align, best_path, prefix_beam


def test_repeats_are_merged_before_blanks_are_removed() -> None:
    assert best_path([0, 1, 1, 0, 1, 2, 2, 0]) == [1, 1, 2]
    assert best_path([1, 1, 0, 1], before=1) == [1]
    assert best_path([]) == best_path([0, 0]) == []


def test_the_best_path_is_not_the_best_text() -> None:
    """Graves et al. 2006: the blank is best in each frame, but more paths lead to the label."""
    y = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert best_path(y.argmax(1).tolist()) == []
    best = prefix_beam(y, 4)[0]
    assert best.labels == (1,) and np.exp(best.log_p) == pytest.approx(1 - 0.36)


def test_the_beam_sums_the_paths_as_the_loss_does() -> None:
    y = torch.randn(8, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64).log_softmax(1)
    for found in prefix_beam(y.numpy(), 5000)[:20]:
        if found.labels:
            loss = ctc_loss(y[None], torch.tensor([found.labels]), torch.tensor([8]))
            assert found.log_p == pytest.approx(-float(loss))


def test_a_language_model_decides_between_equal_sounds() -> None:
    y = np.log([[0.02, 0.96, 0.01, 0.01], [0.96, 0.02, 0.01, 0.01], [0.02, 0.02, 0.5, 0.46]])
    model = CharacterNgram.learn([[1, 3], [1, 3], [1, 3, 2]], num_labels=4, order=2, k=0.5)
    assert prefix_beam(y)[0].labels == (1, 2)
    assert prefix_beam(y, 8, model, weight=1.0)[0].labels == (1, 3)


def test_a_bonus_makes_texts_longer() -> None:
    y = np.log([[0.5, 0.3, 0.2]] * 6)
    assert len(prefix_beam(y, 30, bonus=2.0)[0].labels) > len(prefix_beam(y, 30)[0].labels)


def test_each_label_is_aligned_with_its_own_frames() -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 2, 0]
    y = np.full((9, 3), np.log(0.05))
    y[np.arange(9), path] = np.log(0.9)
    assert align(y, [1, 1, 2]) == [(1, 2), (4, 4), (5, 7)]
    assert align(y[:1], [1, 2]) == [] == align(y, [])
