"""The network of speech: padding, both directions, and a sound in pieces."""

import pytest
import torch
from torch import Tensor

from lit_models.rnn.recognizer import BothWays, LogMelFrames, Recognizer, reversed_within

SIZES = {"num_classes": 3, "sample_rate": 1000, "n_fft": 64, "hop": 20, "n_mels": 8, "hidden_size": 5}


def network(**sizes: object) -> Recognizer:
    torch.manual_seed(0)
    net = Recognizer(**(SIZES | sizes)).double().eval()  # type: ignore[arg-type]
    if net.row is not None:
        torch.nn.init.normal_(net.row)
    return net


def sounds() -> tuple[Tensor, Tensor]:
    x = torch.randn(3, 410, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return 0.3 * x, torch.tensor([410, 237, 80])


def test_frames_do_not_see_the_future() -> None:
    front = LogMelFrames(1000, 64, 20, 8)
    x = torch.randn(1, 64 - 20 + 100)
    other = x.clone()
    other[:, 44 + 60 :] = 0  # after three frames
    assert front(x).shape == (1, 5, 8)
    torch.testing.assert_close(front(other)[:, :3], front(x)[:, :3])
    assert not torch.allclose(front(other)[:, 3], front(x)[:, 3])


def test_the_way_back_begins_at_the_end_of_each_sound() -> None:
    assert reversed_within(4, torch.tensor([4, 2])).tolist() == [[3, 2, 1, 0], [1, 0, 2, 3]]
    torch.manual_seed(0)
    layer, x = BothWays("lstm", 3, 4), torch.randn(1, 5, 3)
    wide = torch.cat([x, torch.randn(1, 2, 3)], 1)
    torch.testing.assert_close(layer(wide, torch.tensor([5]))[:, :5], layer(x, torch.tensor([5])))


@pytest.mark.parametrize("sizes", [{}, {"bidirectional": False, "lookahead": 2}, {"num_layers": 0}])
def test_what_stands_behind_a_sound_changes_nothing(sizes: dict[str, object]) -> None:
    net, (x, lengths) = network(**sizes), sounds()
    whole = net(x, lengths)
    assert whole.shape == (3, 11, 4) and net.frame_counts(lengths).tolist() == [11, 6, 2]
    for row, n in enumerate(lengths.tolist()):
        frames = int(net.frame_counts(lengths)[row])
        torch.testing.assert_close(whole[row, :frames], net(x[row : row + 1, :n], lengths[row : row + 1])[0])


def test_loudness_at_the_beginning_does_not_matter() -> None:
    """But for the floor: the level of what was heard so far is subtracted."""
    net, (x, lengths) = network(), sounds()
    torch.testing.assert_close(net(3 * x, lengths)[0], net(x, lengths)[0], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("pieces", [[410], [40] * 10 + [10], [80, 0, 240, 90]])
@pytest.mark.parametrize(("kind", "lookahead"), [("gru", 0), ("gru", 3), ("lstm", 2), ("gru", 20)])
def test_a_sound_in_pieces_is_the_whole_sound(pieces: list[int], kind: str, lookahead: int) -> None:
    net, (x, lengths) = network(kind=kind, bidirectional=False, lookahead=lookahead), sounds()
    found, state, at = [], None, 0
    for number, size in enumerate(pieces):
        piece = torch.nn.functional.pad(x[:1, at : at + size], (0, -size % 40))
        y, state = net.step(piece, state, last=number == len(pieces) - 1)
        found.append(y)
        at += size
    torch.testing.assert_close(torch.cat(found, 1), net(x, lengths)[:1])


def test_the_lookahead_is_all_of_the_future_that_is_seen() -> None:
    net, (x, lengths) = network(bidirectional=False, lookahead=2), sounds()
    other = x.clone()
    other[0, 200:] = 0  # after five steps
    before, after = net(x, lengths)[0], net(other, lengths)[0]
    torch.testing.assert_close(before[:3], after[:3])
    assert not torch.allclose(before[3], after[3])
