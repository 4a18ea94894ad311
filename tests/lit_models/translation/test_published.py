"""Folders that transformers saved: they load, and what does not fit is one line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.layers.pretrained import load_weights
from lit_models.translation.bart import Bart
from lit_models.translation.pretrained import network
from lit_models.translation.published import bart_sizes, from_bart, t5_sizes
from lit_models.translation.t5 import T5

transformers = pytest.importorskip("transformers")

SIZES: dict[str, Any] = {
    **{"vocab_size": 13, "d_model": 8, "encoder_layers": 1, "decoder_layers": 2, "max_position_embeddings": 20},
    **{"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 12, "decoder_ffn_dim": 12},
}
ENDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
MARIAN = {"pad_token_id": 12, "eos_token_id": 0, "decoder_start_token_id": 12}
T5_SIZES: dict[str, Any] = {"vocab_size": 13, "d_model": 8, "d_kv": 6, "d_ff": 12, "num_layers": 1, "num_heads": 2}
OURS: dict[str, Any] = {
    **{"source_vocab_size": 13, "target_vocab_size": 13, "hidden_size": 8, "num_heads": 2, "ffn_size": 12},
    **{"num_layers": 1, "decoder_layers": 2},
}


def theirs(variant: str) -> Any:
    torch.manual_seed(0)
    if variant == "marian":
        return transformers.MarianMTModel(transformers.MarianConfig(**SIZES, **MARIAN)).eval()
    if variant == "m2m_100":
        return transformers.M2M100ForConditionalGeneration(transformers.M2M100Config(**SIZES, **ENDS)).eval()
    if variant == "mbart":
        return transformers.MBartForConditionalGeneration(transformers.MBartConfig(**SIZES, **ENDS)).eval()
    return transformers.T5ForConditionalGeneration(transformers.T5Config(**T5_SIZES, decoder_start_token_id=0)).eval()


def ours(variant: str) -> nn.Module:
    return network(**{**OURS, **SETTINGS[variant], "variant": variant, "dropout": 0.0}).eval()


SETTINGS: dict[str, dict[str, Any]] = {
    "marian": {"activation": "gelu", "scale_embedding": False},
    "m2m_100": {"activation": "relu"},
    "mbart": {"activation": "gelu", "scale_embedding": False, "max_positions": 20},
    "t5": {"head_size": 6, "decoder_layers": 1},
}


def logits(net: nn.Module) -> Tensor:
    source, target = torch.tensor([[5, 6, 7, 2], [8, 9, 2, 2]]), torch.tensor([[3, 5, 4], [3, 8, 9]])
    if isinstance(net, Bart | T5):
        return net(source, torch.tensor([4, 3]), target)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    return net(input_ids=source, attention_mask=mask, decoder_input_ids=target).logits


@pytest.mark.parametrize("variant", SETTINGS)
def test_a_folder_gives_the_same_logits(variant: str, tmp_path: Path) -> None:
    model = theirs(variant)
    model.save_pretrained(tmp_path)
    net = ours(variant)
    load_weights(net, str(tmp_path))
    torch.testing.assert_close(logits(net), logits(model), atol=1e-5, rtol=1e-4)


def test_another_network_is_refused_with_what_to_give(tmp_path: Path) -> None:
    theirs("mbart").save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"activation is gelu in the file, relu here; give --model.activation gelu"):
        load_weights(network(**OURS | SETTINGS["mbart"] | {"activation": "relu", "variant": "mbart"}), str(tmp_path))
    with pytest.raises(UserError, match=r"variant is mbart in the file, marian here; give --model.variant mbart"):
        load_weights(ours("marian"), str(tmp_path))
    with pytest.raises(UserError, match="variant is mbart in the file, t5 here"):
        load_weights(ours("t5"), str(tmp_path))
    (tmp_path / "config.json").unlink()
    with pytest.raises(UserError, match=r"there is no config.json beside the file"):
        load_weights(ours("mbart"), str(tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "bert"}, "is of model_type 'bert': give one of marian, m2m_100, mbart, t5, mt5"),
        ({"activation_function": "tanh"}, "has the activation 'tanh': give one of relu"),
        ({"decoder_ffn_dim": 99}, "has decoder_ffn_dim 99: only 12 is supported"),
        ({"share_encoder_decoder_embeddings": False}, "has share_encoder_decoder_embeddings False"),
    ],
)
def test_a_config_of_another_model_is_one_line(change: dict[str, Any], says: str) -> None:
    config = transformers.MarianConfig(**SIZES, **MARIAN).to_dict()
    with pytest.raises(UserError, match=says):
        bart_sizes(config | change)


def test_tensors_that_differ_or_that_nothing_takes_are_refused() -> None:
    weights = dict(theirs("marian").state_dict())
    with pytest.raises(UserError, match=r"has no place for model.x of the file|has no place for x of the file"):
        from_bart(weights | {"model.x": torch.zeros(1)}, 1, 2, "marian")
    with pytest.raises(UserError, match="the embeddings of the file differ"):
        from_bart(weights | {"model.decoder.embed_tokens.weight": torch.zeros(13, 8)}, 1, 2, "marian")


def test_version_1_1_of_t5_is_told_from_the_first_in_old_and_new_configs() -> None:
    config = json.loads(json.dumps(transformers.T5Config(**T5_SIZES, feed_forward_proj="gated-gelu").to_dict()))
    table, head = torch.zeros(13, 8), torch.ones(13, 8)
    old = {k: v for k, v in config.items() if k != "scale_decoder_outputs"} | {"tie_word_embeddings": False}
    found = t5_sizes({"shared.weight": table, "lm_head.weight": head}, old)
    assert (found["gated"], found["activation"], found["tied"], found["scale_output"]) == (
        True,
        "gelu_tanh",
        False,
        False,
    )
    assert not t5_sizes({"shared.weight": table}, config | {"scale_decoder_outputs": False})["scale_output"]
    assert t5_sizes({"shared.weight": table}, config)["scale_output"]
    assert not t5_sizes({"shared.weight": table}, config | {"model_type": "mt5"})["scale_output"]
