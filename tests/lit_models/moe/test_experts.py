"""GPT with experts as a task: the battery, its losses, its measures, a frozen router."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from common.messages import UserError
from datamodules.text.mixed_languages import MixedLanguages
from lit_models.attention.gpt import GPT
from lit_models.functional.routing import Routing, balance_loss, z_loss
from lit_models.layers.mixture_of_experts import recorded
from lit_models.moe.experts import LitExperts
from tests.battery import ADAM, LanguageModelBattery
from tests.small import small_trainer

SMALL: dict[str, Any] = {"vocab_size": 7, "seq_len": 6, "hidden_size": 16, "num_layers": 1, "num_heads": 2}


class TestLitExperts(LanguageModelBattery):
    # embedding 7 * 16 (tied), attention 4 * 16 * 16, router, three experts of three matrices, norms
    parameters = 112 + 1024 + 48 + 3 * 3 * 16 * 8 + 48
    overfit_loss = 0.4  # the first token of a row says nothing about the row's second

    def model(self) -> LitExperts:
        return LitExperts(
            variant="llama", ffn_size=8, num_experts=3, experts_per_token=3, optimizer=ADAM, balance=0.01, **SMALL
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(24).reshape(4, 6) % 7
        return text, (text + 1) % 7


def test_the_training_loss_has_both_router_losses_of_each_layer_with_their_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = LitExperts(num_experts=4, balance=0.5, z=0.25, dropout=0.0, **SMALL | {"num_layers": 2})
    batch = torch.arange(12).view(2, 6) % 7, torch.arange(1, 13).view(2, 6) % 7
    seen: list[Tensor] = []
    step = model.training_step
    model.training_step = lambda *args: seen.append(step(*args)) or seen[-1]  # type: ignore[method-assign,func-returns-value]
    with recorded(model.net) as routings:
        plain = model.eval().mean_loss(batch, "other")[0]
    expected = plain + sum(0.5 * balance_loss(r) + 0.25 * z_loss(r) for r in routings)
    small_trainer(tmp_path, max_steps=1).fit(model.train(), DataLoader([batch], batch_size=None))  # type: ignore[arg-type]
    torch.testing.assert_close(seen[0].detach(), expected.detach())


def test_padding_has_no_part_in_the_router_losses() -> None:
    torch.manual_seed(0)
    model = LitExperts(num_experts=4, balance=0.5, z=0.25, dropout=0.0, **SMALL)
    x = torch.randint(1, 7, (2, 6))
    with recorded(model.net) as routings:
        model.net(x)
    real = torch.ones(2, 6, dtype=torch.bool)
    real[1, 2:] = False
    some = [Routing(*(torch.cat([part[0], part[1, :2]])[None] for part in r)) for r in routings]
    expected = 0.5 * balance_loss(some[0]) + 0.25 * z_loss(some[0])
    torch.testing.assert_close(model.router_losses(routings, real), expected)
    everything = model.router_losses(routings, torch.ones_like(real))
    assert not torch.allclose(everything, expected)


def test_a_text_token_by_token_is_the_text_at_once_whatever_the_capacity() -> None:
    torch.manual_seed(0)
    net = GPT(11, 12, 16, 2, 4, variant="llama", num_experts=4, capacity_factor=0.5).double().eval()
    tokens, parts, state = torch.randint(11, (3, 10)), [], None
    for piece in tokens.split([4, 1, 1, 4], 1):
        logits, state = net.decode(piece, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), net(tokens))
    assert net.for_decoding() is net


def test_one_expert_is_gpt_itself() -> None:
    one, plain = GPT(11, 12, 16, 2, 4, dropout=0.0, num_experts=1), GPT(11, 12, 16, 2, 4, dropout=0.0)
    renamed = {n.replace("feed_forward.experts.0", "feed_forward"): p for n, p in one.state_dict().items()}
    plain.load_state_dict({name: p for name, p in renamed.items() if "router" not in name})
    tokens = torch.randint(11, (2, 9))
    torch.testing.assert_close(one(tokens), plain(tokens))
    assert one.sizes()["num_experts"] == 1 and one.sizes()["ffn_size"] == plain.sizes()["ffn_size"]


def test_a_frozen_router_stays_and_no_experts_are_one_line() -> None:
    model = LitExperts(freeze_router=True, **SMALL)
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["net.layers.0.feed_forward.router.weight"]
    with pytest.raises(UserError, match=r"model.num_experts is 0"):
        LitExperts(num_experts=0, **SMALL)


def test_the_measures_are_of_all_test_tokens_but_padding(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = MixedLanguages(["de", "zu"], lines=60, vocab_size=300, seq_len=16, batch_size=8, eval_batch_size=5)
    model = LitExperts(num_experts=3, capacity_factor=0.5, **SMALL | {"vocab_size": 300, "seq_len": 16})
    data.setup("test")
    trainer = small_trainer(tmp_path)
    (found,) = trainer.test(model, data, verbose=False)
    tokens, targets = (t.long() for t in data.splits["test"])
    with recorded(model.eval().net) as routings:
        model(tokens)
    (routing,) = routings
    real, chosen = targets >= 0, routing.experts[..., 0]
    assert found["test/dropped"] == pytest.approx(float((~routing.kept[..., 0][real]).float().mean()), abs=1e-6)
    use, mean = chosen[real].bincount(minlength=3) / real.sum(), routing.logits[real].softmax(-1).mean(0)
    assert found["test/balance"] == pytest.approx(3 * float((use * mean).sum().detach()), abs=1e-6)
    german = torch.tensor(data.subsets["test"]["de"])
    shares = torch.stack([(chosen[rows][real[rows]]).bincount(minlength=3).float() for rows in (german, ~german)])
    best = (shares / shares.sum(1, keepdim=True)).max(0).values.sum() / 2
    assert found["test/purity"] == pytest.approx(float(best), abs=1e-6)
