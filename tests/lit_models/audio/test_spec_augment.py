"""SpecAugment: bands of the sizes it says, in training alone, its own for each spectrogram."""

import torch

from lit_models.audio.spec_augment import SpecAugment


def test_evaluation_leaves_everything() -> None:
    x = torch.ones(2, 1, 40, 100)
    assert SpecAugment().eval()(x) is x
    assert SpecAugment(num_masks=0)(x) is x


def test_what_is_hidden_is_whole_rows_and_columns_within_the_sizes() -> None:
    x = torch.ones(300, 1, 40, 100)
    y = SpecAugment(num_masks=1, most_mels=8, most_frames=15)(x)[:, 0] == 0
    rows, columns = y.all(2), y.all(1)  # (B, 40), (B, 100)
    assert torch.equal(y, rows[:, :, None] | columns[:, None, :])
    for hidden, most in ((rows, 8), (columns, 15)):
        width = hidden.sum(1)
        assert width.max() == most and width.min() == 0
        edges = (hidden[:, 1:] != hidden[:, :-1]).sum(1)
        assert edges.max() <= 2  # one band
        assert hidden[:, 0].any() and hidden[:, -1].any()  # bands reach both ends
    assert len({row.numpy().tobytes() for row in y}) > 200  # masks of their own


def test_short_sounds_lose_a_fifth_at_most_to_one_mask() -> None:
    y = SpecAugment(num_masks=1, most_mels=0, most_frames=50)(torch.ones(200, 1, 8, 20))
    assert (y[:, 0, 0] == 0).sum(1).max() == 4
