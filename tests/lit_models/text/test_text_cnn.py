"""TextCNN: the battery, padding, the maximum over time, word vectors."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.layers.vector_files import write_vectors
from lit_models.text.text_cnn import LitTextCNN, TextCNN, load_vectors
from tests.battery import ADAM, ClassifierBattery
from tests.small import small_trainer


class TestLitTextCNN(ClassifierBattery):
    parameters = 20 * 8 + (3 + 4 + 5) * 8 * 6 + 3 * 6 + 18 * 8 + 8

    def model(self) -> LitTextCNN:
        return LitTextCNN(
            vocab_size=20, num_classes=8, seq_len=12, embed_size=8, num_channels=6, dropout=0.0, optimizer=ADAM
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.randint(1, 20, (8, 12)), torch.arange(8)


def small(**arguments: Any) -> TextCNN:
    return TextCNN(20, 2, **({"embed_size": 8, "num_channels": 6} | arguments)).eval().double()


@pytest.mark.parametrize("pooling", ["max", "mean"])
@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_padding_does_not_change_the_answer(length: int, pooling: str) -> None:
    net, tokens = small(pooling=pooling), torch.randint(1, 20, (3, length))
    padded = torch.nn.functional.pad(tokens, (0, 7))
    torch.testing.assert_close(net(padded), net(tokens))


def test_padding_does_not_change_the_gradients() -> None:
    net, tokens = small(), torch.randint(1, 20, (3, 4))
    grads = []
    for rows in (tokens, torch.nn.functional.pad(tokens, (0, 5))):
        net.zero_grad()
        net(rows).square().sum().backward()
        grads.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    torch.testing.assert_close(grads[0], grads[1])


def test_book_pools_by_a_mean_over_padding_too_and_a_maximum_does_not_mind_repetition() -> None:
    net, text = small(kernel_sizes=(1,)), torch.tensor([[3, 4, 5]])
    twice = torch.tensor([[3, 4, 5, 3, 4, 5]])
    torch.testing.assert_close(net(text), net(twice))  # windows of one: the maximum is over the same set
    features = torch.relu(net.convs[0](net.embedding(text).transpose(1, 2)))
    book = torch.nn.functional.adaptive_avg_pool1d(features, 1)[..., 0]
    assert not torch.allclose(net.head(book), net(text))


def test_a_text_shorter_than_a_window_and_a_row_of_padding_have_answers() -> None:
    net = small(kernel_sizes=(5,))
    answers = net(torch.tensor([[7, 0, 0], [0, 0, 0]]))
    assert answers.isfinite().all()


def test_longer_windows_tell_orders_apart_and_windows_of_one_do_not() -> None:
    one, other = torch.tensor([[3, 4, 5, 6]]), torch.tensor([[6, 4, 3, 5]])
    bag, windows = small(kernel_sizes=(1,)), small(kernel_sizes=(2,))
    torch.testing.assert_close(bag(one), bag(other))
    assert not torch.allclose(windows(one), windows(other))


def test_frozen_table_stays_and_is_seen() -> None:
    model = LitTextCNN(vocab_size=20, num_classes=2, seq_len=12, embed_size=8, num_channels=6, frozen=True)
    assert model.net.convs[0].in_channels == 16  # type: ignore[index,union-attr]
    silent = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert silent == ["net.frozen.weight"]


def test_vectors_of_known_words_are_taken_and_others_kept(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text("3 2\nfilm 1 2\nnobody 9 9\ngood -1 0.5\n")
    table = torch.zeros(5, 2)
    assert load_vectors(str(path), ["<pad>", "<unk>", "good", "bad", "film"], table) == 2
    assert table.tolist() == [[0, 0], [0, 0], [-1, 0.5], [0, 0], [1, 2]]


@pytest.mark.parametrize("form", ["glove", "text", "binary"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_vectors_may_have_every_format_that_embed_writes(form: Any, ending: str, tmp_path: Path) -> None:
    rows = torch.randn(3, 4)
    write_vectors(path := tmp_path / f"v{ending}", ["film", "nobody", "good"], rows, form)
    table = torch.zeros(3, 4)
    assert load_vectors(str(path), ["<pad>", "good", "film"], table) == 2
    assert torch.equal(table, torch.stack([torch.zeros(4), rows[2], rows[0]]))


def test_vectors_of_one_number_and_of_words_with_spaces_are_read(tmp_path: Path) -> None:
    (path := tmp_path / "v.txt").write_text("film 0.5\n. . . 2\ngood 3\n")
    table = torch.zeros(2, 1)
    assert load_vectors(str(path), ["good", "film"], table) == 2 and table.tolist() == [[3.0], [0.5]]


def test_vectors_fill_every_table_before_training(tmp_path: Path) -> None:
    from tests.datamodules.text.test_labeled_text import Few

    path = tmp_path / "v.txt"
    path.write_text("good " + " ".join(["0.25"] * 8) + "\n")
    model = LitTextCNN(vocab_size=10, num_classes=2, seq_len=5, embed_size=8, frozen=True, vectors=str(path))
    small_trainer(tmp_path, max_epochs=1).fit(model, datamodule=Few())
    net: Any = model.net
    assert net.frozen.weight[4].tolist() == [0.25] * 8 and abs(net.embedding.weight[4].mean().item() - 0.25) < 0.05


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no file"), ("film 1 2 3\n", "vectors of 3 numbers"), ("nobody 1 2\n", "no word of the vocabulary")],
)
def test_unusable_vectors_are_one_line(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "v.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message):
        load_vectors(str(path), ["film"], torch.zeros(1, 2))
