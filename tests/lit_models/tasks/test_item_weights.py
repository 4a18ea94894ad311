"""A step of several batches is the step of one large batch."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lit_models.rnn.seq2seq import LitSeq2Seq
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.task import Task
from tests.small import small_trainer
from tests.warm import start_ranks, wait

PAD, V = 0, 7
SGD = partial(torch.optim.SGD, lr=0.5, momentum=0.9)


def language_model() -> LanguageModel:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(V, 5), nn.Linear(5, V))
    return LanguageModel(vocab_size=V, pad_id=PAD, net=net, optimizer=SGD).double()


def translator() -> Any:
    torch.manual_seed(0)
    sizes: Any = {"source_vocab_size": V, "target_vocab_size": V, "embed_size": 4, "hidden_size": 6, "num_layers": 1}
    return LitSeq2Seq(**sizes, dropout=0.0, label_smoothing=0.1, optimizer=SGD).double()


def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(num_classes=3, net=nn.Linear(4, 3), optimizer=SGD).double()


def padded(lengths: list[int], longest: int = 6) -> Tensor:
    """Rows of tokens of given lengths, padded."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(3, V, (len(lengths), longest), generator=generator)
    return tokens.masked_fill(torch.arange(longest) >= torch.tensor(lengths)[:, None], PAD)


LENGTHS = [6, 1, 2, 6, 1, 1, 3, 5, 2, 4]  # of ten rows; batches of two have 3 to 8 tokens that are not padding


def rows(kind: str) -> tuple[Tensor, ...]:
    targets = padded(LENGTHS)
    tokens = targets.roll(1, 1)
    if kind == "language model":
        return tokens, targets
    if kind == "translator":
        return padded([6] * 10), torch.full((10,), 6), tokens, targets
    generator = torch.Generator().manual_seed(2)
    return torch.randn(10, 4, generator=generator, dtype=torch.float64), torch.arange(10) % 3


MODELS: dict[str, Any] = {"language model": language_model, "translator": translator, "classifier": classifier}


def weights_after(kind: str, folder: Path, sizes: list[int], accumulate: int, **settings: Any) -> Tensor:
    """All parameters after three epochs of the ten rows in batches of the given sizes."""
    model: Task = MODELS[kind]()
    batches = list(zip(*(t.split(sizes) for t in rows(kind)), strict=True))
    trainer = small_trainer(folder, max_epochs=3, accumulate_grad_batches=accumulate, **settings)
    trainer.fit(model, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("kind", list(MODELS))
def test_an_accumulated_step_is_the_step_of_the_large_batch(kind: str, tmp_path: Path) -> None:
    large = weights_after(kind, tmp_path, [10], 1)
    for sizes in ([2] * 5, [4, 4, 2], [1, 9]):
        torch.testing.assert_close(weights_after(kind, tmp_path, sizes, len(sizes)), large)


@pytest.mark.parametrize("kind", list(MODELS))
def test_a_step_that_the_epochs_end_cuts_short_is_that_of_its_batches(kind: str, tmp_path: Path) -> None:
    large = weights_after(kind, tmp_path, [6, 4], 1)
    torch.testing.assert_close(weights_after(kind, tmp_path, [2] * 5, 3), large)


def test_clipping_sees_the_large_batchs_gradient(tmp_path: Path) -> None:
    large = weights_after("language model", tmp_path, [10], 1, gradient_clip_val=0.05)
    parts = weights_after("language model", tmp_path, [2] * 5, 5, gradient_clip_val=0.05)
    torch.testing.assert_close(parts, large)
    assert not torch.allclose(large, weights_after("language model", tmp_path, [10], 1))


def test_batches_of_padding_alone_change_nothing(tmp_path: Path) -> None:
    model = language_model()
    before = [p.detach().clone() for p in model.parameters()]
    nothing = (torch.full((2, 6), PAD),) * 2
    for batches, accumulate in (([nothing], 1), ([nothing] * 2, 2)):
        small_trainer(tmp_path, accumulate_grad_batches=accumulate).fit(model, DataLoader(batches, batch_size=None))
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


def train_rank(folder: Path, world: int, accumulate: int, size: int) -> None:
    """Two epochs of a process, which takes every ``world``-th row in batches of ``size``."""
    torch.set_num_threads(1)
    model, data = language_model(), rows("language model")
    rank = int(os.environ.get("LOCAL_RANK", 0))
    batches = list(zip(*(t[rank::world].split(size) for t in data), strict=True))
    settings = {"devices": world, "strategy": "ddp" if world > 1 else "auto", "use_distributed_sampler": False}
    trainer = small_trainer(folder, max_epochs=2, accumulate_grad_batches=accumulate, **settings)
    trainer.fit(model, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    torch.save([p.detach() for p in model.parameters()], folder / f"{world} {rank}.pt")


@pytest.mark.parametrize("accumulate", [1, 3])
def test_two_processes_with_and_without_accumulation_make_the_large_batchs_steps(
    accumulate: int, tmp_path: Path
) -> None:
    assert wait(*start_ranks(train_rank, tmp_path, 2, accumulate, 1, folder=tmp_path)) == [0, 0]
    train_rank(tmp_path, 1, 1, 2 * accumulate)
    one, first, second = (torch.load(tmp_path / f"{which}.pt") for which in ("1 0", "2 0", "2 1"))
    torch.testing.assert_close(first, one)
    torch.testing.assert_close(second, one)
