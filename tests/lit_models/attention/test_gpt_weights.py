"""Hugging Face's weights by their names."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_model
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.attention.gpt import GPT, LitGPT
from lit_models.attention.gpt_weights import convert
from lit_models.layers.pretrained import load_weights
from tests.small import small_trainer

transformers = pytest.importorskip("transformers")


def theirs(variant: str) -> Any:
    torch.manual_seed(0)
    if variant == "gpt2":
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(vocab_size=13, n_positions=8, n_embd=12, n_layer=2, n_head=3)
        ).eval()
    config = transformers.LlamaConfig(
        vocab_size=13,
        hidden_size=12,
        intermediate_size=20,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        tie_word_embeddings=False,
    )
    return transformers.LlamaForCausalLM(config).eval()


SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {"seq_len": 8, "hidden_size": 12, "num_layers": 2, "num_heads": 3},
    "llama": {
        **{"seq_len": 8, "hidden_size": 12, "num_layers": 2, "num_heads": 3, "variant": "llama"},
        **{"num_kv_heads": 1, "ffn_size": 20, "tied": False},
    },
}


@pytest.mark.parametrize("variant", SIZES)
def test_a_file_gives_the_same_logits(variant: str, tmp_path: Path) -> None:
    model, tokens = theirs(variant), torch.randint(13, (2, 7))
    model.save_pretrained(tmp_path)  # one name for a tensor that has two
    save_model(model, str(tmp_path / "other.safetensors"))  # the other name
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")  # both
    for file in ("model.safetensors", "other.safetensors", "pytorch_model.bin"):
        net = GPT(13, **SIZES[variant]).eval()
        load_weights(net, str(tmp_path / file))
        torch.testing.assert_close(net(tokens), model(tokens).logits, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", SIZES)
def test_names_without_their_prefix_are_known(variant: str) -> None:
    model, net = theirs(variant), GPT(13, **SIZES[variant]).eval()
    inner = model.transformer if variant == "gpt2" else model.model
    net.load_state_dict(convert(net, inner.state_dict() | {"lm_head.weight": model.lm_head.weight}))
    tokens = torch.randint(13, (2, 7))
    torch.testing.assert_close(net(tokens), model(tokens).logits, atol=1e-5, rtol=1e-4)


def test_a_run_begins_with_them_and_its_checkpoint_needs_no_file(tmp_path: Path) -> None:
    file, tokens = tmp_path / "pytorch_model.bin", torch.randint(13, (2, 7))
    torch.save(theirs("gpt2").state_dict(), file)
    model = LitGPT(vocab_size=13, **SIZES["gpt2"], weights=str(file))
    trainer = small_trainer(tmp_path)
    loaded = DataLoader([(tokens, tokens)], batch_size=None)
    trainer.validate(model, loaded, verbose=False)
    torch.testing.assert_close(model.eval()(tokens), theirs("gpt2")(tokens).logits, atol=1e-5, rtol=1e-4)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    file.unlink()
    again = LitGPT.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    small_trainer(tmp_path).validate(again, loaded, verbose=False)
    assert torch.equal(again.eval()(tokens), model(tokens))


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    file = str(tmp_path / "pytorch_model.bin")
    torch.save(theirs("gpt2").state_dict(), file)
    for change, message in (
        ({"num_layers": 3}, r"lacks h\.2\.ln_1\.weight"),
        ({"hidden_size": 24}, "other shapes"),
        ({"variant": "llama"}, "lacks norm"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            load_weights(GPT(13, **(SIZES["gpt2"] | change)), file)
        assert "\n" not in str(caught.value) and caught.value.exit_code == 2
