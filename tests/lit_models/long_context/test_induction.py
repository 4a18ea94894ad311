"""Induction: the battery, and what the module measures of its own heads."""

from pathlib import Path

import torch
from torch import Tensor

from datamodules.text.repeated import RepeatedTokens
from lit_models.long_context.induction import AttentionOnly, LitInduction, corrupt
from tests.battery import ADAM, LanguageModelBattery
from tests.small import small_trainer


class TestLitInduction(LanguageModelBattery):
    # embedding and output matrix, positions, one layer of four projections, two norms
    parameters = 2 * 7 * 16 + 6 * 16 + 4 * 16 * 16 + 2 * 16
    overfit_loss = 0.4  # the first token of a row says nothing about the row's second
    longest = 6

    def model(self) -> LitInduction:
        return LitInduction(vocab_size=7, seq_len=6, hidden_size=16, num_layers=1, num_heads=2, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(24).reshape(4, 6) % 7
        return text, (text + 1) % 7


def test_a_stream_that_is_put_in_takes_the_place_of_what_came_before() -> None:
    torch.manual_seed(0)
    net, (tokens, other) = AttentionOnly(9, 6, 16, 2, 2), torch.randint(9, (2, 3, 6))
    for start, stream in enumerate(net.streams(tokens)):
        torch.testing.assert_close(net(other, start, stream), net(tokens))


def test_rows_are_corrupted_at_the_first_of_two_equal_tokens() -> None:
    tokens = torch.tensor([[1, 2, 3, 4, 5, 1, 2, 3, 4]])
    right, wrong, answer, names = corrupt(tokens, tokens.roll(-1, 1))
    assert right.tolist() == [[1, 2, 3, 4, 5, 1, 2, 3]] and wrong.tolist() == [[1, 2, 1, 4, 5, 1, 2, 3]]
    assert answer.tolist() == [4] and [n for n in names if n] == ["A", "B", "A"] and names[2] == "A"


def test_a_run_keeps_a_point_for_each_validation_and_draws_from_its_checkpoint(tmp_path: Path) -> None:
    data = RepeatedTokens(
        12, 4, 5, 13, 12, train_size=16, val_size=8, test_size=4, batch_size=8, eval_batch_size=8
    )  # fmt: skip
    lit = LitInduction(vocab_size=13, seq_len=12, hidden_size=16, num_heads=2, optimizer=ADAM)
    trainer = small_trainer(tmp_path, max_epochs=2)
    trainer.fit(lit, datamodule=data)
    assert [point[0] for point in lit.history] == [2, 4]
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitInduction(vocab_size=13, seq_len=12, hidden_size=16, num_heads=2)
    again.on_load_checkpoint(torch.load(tmp_path / "a.ckpt", weights_only=True))
    assert again.history == lit.history and len(again.panels()) == 2
    patched, lens, probes = lit.maps()
    assert patched["values"].shape == (3, len(patched["columns"])) and len(patched["rows"]) == 3
    assert lens["values"].shape == (3, 1) and probes["values"].shape == (3, 2)
    torch.testing.assert_close(patched["values"][0, 2], torch.tensor(1.0))  # the first A repairs everything
