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


def test_a_tensor_that_nothing_takes_is_refused() -> None:
    for variant, name in (("gpt2", "score.weight"), ("llama", "model.layers.0.self_attn.q_proj.bias")):
        weights = theirs(variant).state_dict() | {name: torch.zeros(1)}
        with pytest.raises(UserError, match=f"no place for {name.removeprefix('model.')} of the file"):
            convert(GPT(13, **SIZES[variant]), weights)


def test_masks_of_old_files_are_no_weights() -> None:
    net, model = GPT(13, **SIZES["gpt2"]), theirs("gpt2")
    old = {"h.1.attn.bias": torch.ones(1, 1, 8, 8), "h.0.attn.masked_bias": torch.tensor(-1e4)}
    assert convert(net, model.state_dict() | old).keys() == net.state_dict().keys()


def test_a_file_without_either_table_is_said_to_lack_one(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "a.bin")
    with pytest.raises(UserError, match=r"lacks embed_tokens\.weight: it is no GPT-2 and no Llama"):
        load_weights(GPT(13, **SIZES["gpt2"]), str(tmp_path / "a.bin"))


def test_an_own_network_saved_by_hand_loads(tmp_path: Path) -> None:
    net, again = GPT(13, **SIZES["gpt2"]), GPT(13, **SIZES["gpt2"])
    torch.save(net.state_dict(), tmp_path / "own.pth")
    load_weights(again, str(tmp_path / "own.pth"))
    assert torch.equal(net.layers[1].attention.qkv.weight, again.layers[1].attention.qkv.weight)  # type: ignore[union-attr]
