"""A map for each head of each attention, with the words at the axes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from callbacks.pictures import head_maps as module
from callbacks.pictures.head_maps import HeadMaps, draw_heads, trim
from lit_models.attention.transformer import LitTransformer
from tests.small import small_trainer
from tests.small_attention import SmallAttention, tokens


def test_a_row_for_each_attention_and_a_column_for_each_head() -> None:
    maps = {"net.decoder.0.cross_attention": torch.rand(2, 3, 2), "net.decoder.0.attention": torch.rand(1, 3, 3)}
    figure = draw_heads(maps, {"source": ["a", "b"], "target": ["x", "y", "$z"]})
    assert len(figure.axes) == 4
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["x", "y", r"\$z"]
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["a", "b"]
    assert [t.get_text() for t in figure.axes[2].get_xticklabels()] == ["x", "y", r"\$z"]


@pytest.mark.parametrize("row", [0, 99])
@pytest.mark.parametrize("kind", ["language model", "translation"])
def test_is_written_after_a_test_of_any_size(tmp_path: Path, kind: str, row: int) -> None:
    batch: tuple[torch.Tensor, ...] = (tokens(), tokens())
    model = SmallAttention()
    if kind == "translation":
        model = LitTransformer(
            source_vocab_size=9, target_vocab_size=9, max_length=6, hidden_size=8, num_layers=1, num_heads=2, ffn_size=8
        )  # type: ignore[assignment]
        batch = (torch.full((2, 6), 5), torch.tensor([4, 6]), torch.ones(2, 4).long(), torch.full((2, 4), 2))
    trainer = small_trainer(tmp_path, HeadMaps(row, max_tokens=5))
    trainer.test(model, DataLoader([batch], batch_size=None), verbose=False)
    assert (tmp_path / "heads.png").stat().st_size > 1000


def test_padding_is_cut_off() -> None:
    row = {"source": torch.tensor([[4, 5, 2, 0]]), "length": torch.tensor([3]), "target": torch.tensor([[1, 6, 0]])}
    found = {name: tensor.tolist() for name, tensor in trim(row, 32).items()}
    assert found == {"source": [[4, 5, 2]], "length": [3], "target": [[1, 6]]}


def test_words_are_the_datamodules(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[str]] = {}
    monkeypatch.setattr(module, "draw_heads", lambda weights, words: seen.update(words))
    names = {side: lambda ids, side=side: [f"{side[0]}{i}" for i in ids] for side in ("source", "target")}
    data = SimpleNamespace(**{f"{side}_tokens": namer for side, namer in names.items()})
    inputs = {"source": torch.tensor([[4, 5, 2]]), "length": torch.tensor([3]), "target": torch.tensor([[1, 6]])}
    trainer: Any = SimpleNamespace(datamodule=data)
    HeadMaps().draw(trainer, (inputs, {}))
    assert seen == {"source": ["s4", "s5", "s2"], "target": ["t1", "t6"]}
    trainer.datamodule = SimpleNamespace(tokenizer=SimpleNamespace(tokens=["a", "b", "c"]))
    HeadMaps().draw(trainer, ({"source": torch.tensor([[2, 0]])}, {}))
    assert seen["source"] == ["c", "a"]
