"""RWKV as a language model: the battery for each version, and how it is trained."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.rwkv.rwkv import LitRWKV, l2_wrap, rwkv
from tests.battery import LanguageModelBattery
from tests.lit_models.rwkv.networks import VERSIONS

ADAM = partial(torch.optim.Adam, lr=1e-2)
SMALL: dict[str, Any] = {"vocab_size": 7, "hidden_size": 8, "num_layers": 2, "head_size": 4, "ffn_size": 16}


class RWKVBattery(LanguageModelBattery):
    version = 7
    ranks: Any = None
    overfit_loss = 0.4  # the first token of a row says nothing about the row's second

    def model(self) -> LitRWKV:
        model = LitRWKV(version=self.version, ranks=self.ranks, optimizer=ADAM, l2_wrap=0.0, **SMALL)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.1 * torch.randn_like(p))  # matrices that begin as zeros keep gradients from the others
        return model

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(24).reshape(4, 6) % 7
        return text, (text + 1) % 7


OUTER = 2 * 7 * 8 + 16 + 16  # emb and head, ln_out, ln0


class TestVersion4(RWKVBattery):
    version = 4
    # two norms; att 5 vectors and 4 matrices; ffn 2 vectors, key, value, receptance
    parameters = OUTER + 2 * (32 + 5 * 8 + 4 * 64 + 2 * 8 + 2 * 8 * 16 + 64)


class TestVersion5(RWKVBattery):
    version = 5
    # as version 4, but 6 vectors, a fifth matrix and ln_x
    parameters = OUTER + 2 * (32 + 6 * 8 + 5 * 64 + 16 + 2 * 8 + 2 * 8 * 16 + 64)


class TestVersion6(RWKVBattery):
    version = 6
    ranks = {"mix": 2, "decay": 3}
    # 8 vectors, 5 matrices, ln_x, low-rank matrices of mixtures and decay
    parameters = OUTER + 2 * (32 + 8 * 8 + 5 * 64 + 16 + 2 * 8 * 10 + 2 * 8 * 3 + 2 * 8 + 2 * 8 * 16 + 64)


class TestVersion7(RWKVBattery):
    ranks = {"w": 2, "a": 2, "v": 2, "g": 2}
    # 6 mixtures, k_k, k_a, r_k, w0, a0; 4 matrices, ln_x, 3 pairs of low rank; v in layer 1 alone; ffn without a gate
    parameters = OUTER + 2 * (32 + 11 * 8 + 4 * 64 + 16 + 3 * 32 + 8 + 2 * 8 * 16) + 8 + 32


def model(**settings: Any) -> LitRWKV:
    torch.manual_seed(0)
    return LitRWKV(**SMALL | settings)


# -- training numerics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_only_matrices_decay_and_some_vectors_learn_faster(version: int) -> None:
    lit = model(version=version, optimizer=partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1))
    names = {id(p): name for name, p in lit.net.named_parameters()}
    optimizer = lit.configure_optimizers()
    found = {names[id(p)]: (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert set(found) == set(names.values())
    fast = {
        4: {"att.time_decay": 2, "att.time_first": 3},
        5: {"att.time_decay": 2},
        6: {"att.time_decay": 2},
        7: {"att.w0": 2},
    }
    for name, (rate, decay) in found.items():
        matrix = name.endswith((".weight",)) and "ln" not in name
        factor = next((f for end, f in fast[version].items() if name.endswith(end)), 1)
        assert decay == (0.1 if matrix else 0.0), name
        assert rate == pytest.approx(0.01 * factor), name


def test_l2_wrap_changes_gradients_by_its_formula_and_not_the_loss() -> None:
    logits = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    plain = logits.logsumexp(-1).mean()
    (before,) = torch.autograd.grad(3 * plain, logits, retain_graph=True)
    wrapped = l2_wrap(plain, logits.amax(-1).flatten())
    assert wrapped.item() == plain.item()
    (after,) = torch.autograd.grad(3 * wrapped, logits)
    largest, place = logits.detach().max(-1, keepdim=True)
    expected = torch.zeros_like(logits).scatter(-1, place, largest * 1e-4 / (2 * 3))
    torch.testing.assert_close(after - before, 3 * expected, atol=1e-15, rtol=1e-6)


def test_a_training_step_is_the_mean_cross_entropy_with_the_pull(tmp_path: Path) -> None:
    """One step of plain gradient descent with rate 1: what a parameter loses is its gradient."""
    lit = model(l2_wrap=0.5, optimizer=partial(torch.optim.SGD, lr=1.0))
    tokens = torch.randint(7, (2, 6))
    targets = tokens.roll(-1, 1)
    targets[0, 3:] = -1
    logits = lit(tokens)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
    (loss + 0.25 * logits.amax(-1)[targets >= 0].square().mean()).backward()
    rates = {n: 2 if n.endswith("att.w0") else 1 for n, _ in lit.named_parameters()}
    expected = {n: p.detach() - rates[n] * p.grad for n, p in lit.named_parameters() if p.grad is not None}
    lit.zero_grad()
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", max_steps=1, enable_model_summary=False, default_root_dir=tmp_path, **quiet)
    trainer.fit(lit, DataLoader([(tokens, targets)], batch_size=None))
    for name, p in lit.named_parameters():
        torch.testing.assert_close(p.detach(), expected[name], atol=1e-6, rtol=1e-4, msg=name)


# -- the state ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_is_carried_and_its_gradient_ends_with_the_batch(version: int) -> None:
    lit = model(version=version, carry_state=True).double()
    tokens = torch.randint(7, (2, 20))
    pieces = [lit.logits(tokens[:, :9], "val"), lit.logits(tokens[:, 9:], "val")]
    torch.testing.assert_close(torch.cat(pieces, 1), lit(tokens))
    assert not any(t.requires_grad for layer in lit.carried["val"][1] for t in layer)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_carried_state_is_in_the_checkpoint_to_the_bit(version: int, tmp_path: Path) -> None:
    lit, other = (model(version=version, carry_state=True) for _ in range(2))
    batches = [tuple(torch.randint(7, (2, 5)) for _ in range(2)) for _ in range(2)]
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", max_epochs=1, enable_model_summary=False, default_root_dir=tmp_path, **quiet)
    trainer.fit(lit, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    other.load_state_dict(content["state_dict"])
    other.on_load_checkpoint(content)
    epoch, state = lit.carried["train"]
    assert other.carried["train"][0] == epoch
    for layer, again in zip(state, other.carried["train"][1], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(layer, again, strict=True)) and bool(layer[0].any())


@pytest.mark.parametrize("version", [5, 6, 7])
def test_state_tuning_trains_the_first_state_alone(version: int) -> None:
    lit = model(version=version, state_tuning=True)
    trained = [name for name, p in lit.named_parameters() if p.requires_grad]
    assert trained == [f"net.blocks.{i}.att.time_state" for i in range(2)]
    plain = model(version=version)
    tokens = torch.randint(7, (2, 5))
    weights = {n: p for n, p in lit.state_dict().items() if "time_state" not in n}
    plain.load_state_dict(weights)
    assert torch.equal(lit(tokens), plain(tokens))  # the first state begins as zeros
    with torch.no_grad():
        lit.net.blocks[0].att.output.weight.normal_()  # type: ignore[union-attr]
    lit(tokens).square().sum().backward()
    assert bool(lit.net.blocks[0].att.time_state.grad.any())  # type: ignore[union-attr]


def test_version_4_has_no_state_to_tune() -> None:
    with pytest.raises(UserError, match="RWKV-4 does not have one"):
        rwkv(9, 4, state_tuning=True)


def test_an_unknown_rank_is_named() -> None:
    with pytest.raises(UserError, match="version 6 has mix, decay"):
        rwkv(9, 6, ranks={"w": 3})


def test_the_loss_per_word_is_that_of_its_tokens() -> None:
    lit: Any = LitRWKV(vocab_size=9, hidden_size=8, num_layers=1, head_size=4)
    units = {"test": {"word": 0.25, "byte": 4.0}}
    found: dict[str, Any] = {}
    lit.data_attribute = lambda name, default=None: units if name == "units_per_token" else default
    lit.log = found.__setitem__
    lit.log_bits("test", torch.tensor(2.0))
    assert found == {"test/loss_per_word": 8.0, "test/loss_per_byte": 0.5}
