"""DPO: the battery, and its measures on a policy whose answers are known."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lit_models.alignment.dpo import LitDPO
from tests.battery import ADAM, TaskBattery
from tests.small import small_trainer

SMALL: dict[str, Any] = {"vocab_size": 7, "seq_len": 6, "hidden_size": 16, "num_layers": 1, "num_heads": 2}


class TestLitDPO(TaskBattery):
    parameters = 112 + 1024 + 3 * 16 * 64 + 48

    def model(self) -> LitDPO:
        return LitDPO(variant="llama", beta=1.0, optimizer=ADAM, **SMALL)

    def batch(self) -> tuple[Tensor, ...]:
        text = torch.arange(24).reshape(4, 6) % 7
        return text, (text + 1) % 7, text, (text + 3) % 7

    def outputs(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        return model.pairs(batch)[1] if model.training else model(batch[0])

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = self.model()
        model.pairs(self.batch())[0].sum().backward()  # type: ignore[arg-type]
        assert all(float(p.grad.abs().sum()) > 0 for p in model.net.parameters() if p.grad is not None)
        assert all(p.grad is not None for p in model.net.parameters())
        assert all(p.grad is None for p in model.reference.parameters())

    def test_measures_of_the_start_are_those_of_no_change(self, tmp_path: Path) -> None:
        (found,) = small_trainer(tmp_path).test(
            self.model(), DataLoader([self.batch()], batch_size=None), verbose=False  # type: ignore[arg-type]
        )  # fmt: skip
        assert found["test/loss"] == pytest.approx(0.6931, abs=1e-4)
        assert found["test/kl"] == pytest.approx(0, abs=1e-6) and found["test/chosen"] == pytest.approx(0, abs=1e-5)
        assert found["test/acc"] == 0.0 and found["test/margin"] == pytest.approx(0, abs=1e-5)


def test_an_answer_is_exact_if_all_of_its_tokens_are_the_best_ones_and_its_prompt_does_not_count(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    model, tokens = LitDPO(variant="llama", **SMALL).eval(), torch.arange(12).view(2, 6) % 7
    targets = model(tokens).argmax(-1)
    targets[1, -1] = (targets[1, -1] + 1) % 7
    targets[:, :3] = -1
    batch = (tokens, targets, tokens, targets)
    (found,) = small_trainer(tmp_path).test(model, DataLoader([batch], batch_size=None), verbose=False)  # type: ignore[arg-type]
    assert found["test/exact"] == 0.5


def test_the_change_of_the_chosen_answers_is_their_log_probability_minus_that_at_the_start(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    model, (tokens, targets, *rest) = LitDPO(variant="llama", **SMALL).eval(), TestLitDPO().batch()
    with torch.no_grad():
        model.net.head.weight.add_(0.3 * torch.randn(7, 16))
        after, before = (model.log_probs(tokens, targets, reference).sum(1) for reference in (False, True))
    rows: Any = [(tokens, targets, *rest)]
    loader: Any = DataLoader(rows, batch_size=None)
    (found,) = small_trainer(tmp_path).test(model, loader, verbose=False)
    assert found["test/chosen"] == pytest.approx(float((after - before).mean()), abs=1e-4) != 0
