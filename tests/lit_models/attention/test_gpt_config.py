"""Weights of Hugging Face load into the network they are for, and into no other."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.attention.gpt import GPT
from lit_models.layers.pretrained import load_weights
from tests.lit_models.attention.test_gpt_weights import SIZES

transformers = pytest.importorskip("transformers")


def saved(folder: Path, variant: str, **changes: Any) -> tuple[Any, str]:
    """A small model of theirs, its config changed, and the folder where it lies."""
    torch.manual_seed(0)
    common: dict[str, Any] = {"vocab_size": 13}
    if variant == "gpt2":
        config = transformers.GPT2Config(
            **(common | {"n_positions": 8, "n_embd": 12, "n_layer": 2, "n_head": 3} | changes)
        )
        model = transformers.GPT2LMHeadModel(config)
    else:
        sizes = {"hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3}
        config = transformers.LlamaConfig(**(common | sizes | {"num_key_value_heads": 1, **changes}))
        model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return model.eval(), str(folder)


def change_config(folder: str, **values: Any) -> None:
    path = Path(folder) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("variant", "theirs", "option"),
    [
        ("gpt2", {"n_layer": 3}, "num_layers 3"),
        ("gpt2", {"n_layer": 1}, "num_layers 1"),
        ("gpt2", {"n_head": 2}, "num_heads 2"),
        ("gpt2", {"n_inner": 16}, "ffn_size 16"),
        ("gpt2", {"n_embd": 24}, "hidden_size 24"),
        ("gpt2", {"layer_norm_epsilon": 1e-6}, "norm_eps 1e-06"),
        ("gpt2", {"vocab_size": 17}, "data.vocab_size 17"),
        ("gpt2", {"n_positions": 16}, "data.seq_len 16"),
        ("llama", {"num_hidden_layers": 4}, "num_layers 4"),
        ("llama", {"num_attention_heads": 6}, "num_heads 6"),
        ("llama", {"num_key_value_heads": 3}, "num_kv_heads 3"),
        ("llama", {"intermediate_size": 32}, "ffn_size 32"),
        ("llama", {"rope_theta": 500_000.0}, "rope_theta 500000.0"),
        ("llama", {"rms_norm_eps": 1e-5}, "norm_eps 1e-05"),
        ("llama", {"tie_word_embeddings": True}, "tied true"),
    ],
)
def test_what_differs_is_named_and_the_option_fits(
    variant: str, theirs: dict[str, Any], option: str, tmp_path: Path
) -> None:
    model, folder = saved(tmp_path, variant, **theirs)
    with pytest.raises(UserError, match=f"give .*--\\S*{option}") as caught:
        load_weights(GPT(13, **SIZES[variant]), folder)
    assert "\n" not in str(caught.value)
    words = str(caught.value).partition("; give ")[2].split()
    values = {name.rpartition(".")[2]: json.loads(value) for name, value in zip(words[::2], words[1::2], strict=True)}
    net = GPT(**({"vocab_size": 13} | SIZES[variant] | values)).eval()
    load_weights(net, folder)
    tokens = torch.randint(13, (2, 7))
    torch.testing.assert_close(net(tokens), model(tokens).logits, atol=1e-5, rtol=1e-4)


def test_an_untied_file_does_not_load_into_a_tied_network(tmp_path: Path) -> None:
    folder = saved(tmp_path, "llama")[1]
    with pytest.raises(UserError, match=r"tied is False in the file, True here; give --model\.tied false"):
        load_weights(GPT(13, **(SIZES["llama"] | {"tied": True})), folder)


def test_a_file_of_the_other_variant_names_it(tmp_path: Path) -> None:
    for variant, other in (("gpt2", "llama"), ("llama", "gpt2")):
        folder = saved(tmp_path / variant, variant)[1]
        with pytest.raises(UserError, match=f"--model.variant {variant}"):
            load_weights(GPT(13, **SIZES[other]), folder)


@pytest.mark.parametrize(
    ("variant", "flag", "says"),
    [
        ("gpt2", {"activation_function": "relu"}, "activation_function 'relu': GPT has 'gelu_new' alone"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx True"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act 'gelu'"),
        ("llama", {"attention_bias": True}, "attention_bias True"),
        ("llama", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, r"rotary positions \(llama3\)"),
        ("llama", {"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 2}}, r"\(linear\)"),
        ("llama", {"head_dim": 8}, "head_dim 8"),
        ("llama", {"model_type": "qwen2"}, "model_type 'qwen2': GPT takes gpt2, llama, mistral"),
    ],
)
def test_what_no_option_follows_is_refused(variant: str, flag: dict[str, Any], says: str, tmp_path: Path) -> None:
    folder = saved(tmp_path, variant)[1]
    change_config(folder, **flag)
    with pytest.raises(UserError, match=says):
        load_weights(GPT(13, **SIZES[variant]), folder)


def test_a_base_in_an_old_config_is_read(tmp_path: Path) -> None:
    folder = saved(tmp_path, "llama")[1]
    change_config(folder, rope_parameters=None, rope_theta=500_000.0)
    with pytest.raises(UserError, match=r"--model\.rope_theta 500000\.0"):
        load_weights(GPT(13, **SIZES["llama"]), folder)


def test_a_window_is_mistrals(tmp_path: Path) -> None:
    folder = saved(tmp_path, "llama")[1]
    change_config(folder, model_type="mistral", sliding_window=4)
    with pytest.raises(UserError, match=r"--model\.window 4"):
        load_weights(GPT(13, **SIZES["llama"]), folder)


def test_a_missing_head_is_not_taken_for_a_tied_one(tmp_path: Path) -> None:
    model, folder = saved(tmp_path, "llama")
    model.model.save_pretrained(folder)  # without its head
    with pytest.raises(UserError, match=r"lacks lm_head\.weight, and its config\.json says"):
        load_weights(GPT(13, **SIZES["llama"]), folder)


def test_without_a_config_what_is_not_checked_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = saved(tmp_path, "gpt2")[1]
    (tmp_path / "config.json").unlink()
    load_weights(GPT(13, **(SIZES["gpt2"] | {"num_heads": 4})), folder)
    assert "no config.json beside the weights: that they are for num_heads 4" in capsys.readouterr().err


def test_shards_load(tmp_path: Path) -> None:
    model = saved(tmp_path / "whole", "gpt2")[0]
    model.save_pretrained(tmp_path / "shards", max_shard_size="2KB")
    index = tmp_path / "shards/model.safetensors.index.json"
    tokens = torch.randint(13, (2, 7))
    for source in (index, index.parent):
        net = GPT(13, **SIZES["gpt2"]).eval()
        load_weights(net, str(source))
        torch.testing.assert_close(net(tokens), model(tokens).logits, atol=1e-5, rtol=1e-4)
