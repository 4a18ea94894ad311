"""Mamba: the battery, its state, published weights, and what its options do."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.layers.pretrained import load_weights
from lit_models.layers.quantized_linear import QuantizedLinear
from lit_models.long_context.mamba import LitMamba, Mamba
from tests.battery import ADAM, LanguageModelBattery

SMALL = {"vocab_size": 7, "hidden_size": 8, "num_layers": 2, "state_size": 2}


class TestLitMamba(LanguageModelBattery):
    # embedding (tied) and last norm; per layer: norm, in_proj, convolution, x_proj of rank 1, dt_proj, A, D, out_proj
    parameters = 7 * 8 + 8 + 2 * (8 + 8 * 32 + 16 * 5 + 16 * 5 + 32 + 32 + 16 + 16 * 8)
    overfit_loss = 0.4  # the first token of a row says nothing about the row's second

    def model(self) -> LitMamba:
        return LitMamba(**SMALL, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(24).reshape(4, 6) % 7
        return text, (text + 1) % 7


def net(**settings: object) -> Mamba:
    torch.manual_seed(0)
    return Mamba(**SMALL | settings).double().eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("selective", [True, False])
def test_token_by_token_is_the_whole_text(selective: bool) -> None:
    model, tokens, state, steps = net(selective=selective), torch.randint(7, (2, 9)), None, []
    for part in tokens.split([4, 1, 1, 3], 1):
        logits, state = model.decode(part, state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), model(tokens))


def test_both_scans_give_the_same_network() -> None:
    tokens = torch.randint(7, (2, 9))
    torch.testing.assert_close(net(scan="parallel")(tokens), net(scan="sequential")(tokens))


def test_without_selection_the_recurrence_is_the_same_for_each_token() -> None:
    mixer = net(selective=False).backbone.layers[0].mixer
    chosen = mixer.constants.expand(2, 3, -1)  # type: ignore[union-attr, operator]
    assert bool((chosen == chosen[0, 0]).all()) and not hasattr(mixer, "x_proj")


def test_the_recurrence_is_exempt_from_decay() -> None:
    lit = LitMamba(**SMALL)
    decayed, exempt = (len(group["params"]) for group in lit.parameter_groups())
    assert (decayed, exempt) == (1 + 2 * 5, 1 + 2 * 5)  # A, D, the biases of convolution and step, and the norms


def test_weights_of_few_bits_are_for_tests_and_predictions() -> None:
    lit = LitMamba(**SMALL, bits=4)
    assert not any(isinstance(m, QuantizedLinear) for m in lit.modules())
    for start in (lit.on_test_start, LitMamba(**SMALL, bits=4).on_predict_start):
        start()
        assert sum(isinstance(m, QuantizedLinear) for m in start.__self__.modules()) == 1 + 2 * 4  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="give 8, 4, or 0"):
        LitMamba(**SMALL, bits=3)


@pytest.mark.parametrize("head", [True, False])
def test_published_weights_load_by_their_names_with_or_without_the_output_matrix(head: bool, tmp_path: Path) -> None:
    published, other = net().state_dict(), Mamba(**SMALL).double()  # type: ignore[arg-type]
    torch.save(published if head else {n: t for n, t in published.items() if n != "lm_head.weight"}, tmp_path / "a.pth")
    load_weights(other, str(tmp_path / "a.pth"))
    assert all(torch.equal(t, published[name]) for name, t in other.state_dict().items())
    assert other.lm_head.weight is other.backbone.embeddings.weight


def test_first_steps_are_between_their_bounds_and_outputs_are_divided_by_the_root_of_the_depth() -> None:
    torch.manual_seed(0)
    mixers: list[Any] = [block.mixer for block in Mamba(7, 32, num_layers=4).backbone.layers]
    steps = torch.cat([torch.nn.functional.softplus(mixer.dt_proj.bias.detach()) for mixer in mixers])
    assert 0.00099 < float(steps.min()) < 0.002 and 0.05 < float(steps.max()) < 0.101
    largest = max(float(mixer.out_proj.weight.detach().abs().max()) for mixer in mixers)
    assert 0.9 < largest / (64**-0.5 / 2) <= 1  # uniform within 1 / sqrt(inputs), over sqrt(4)
