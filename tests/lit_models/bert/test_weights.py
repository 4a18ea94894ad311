"""Files of Hugging Face: a bare encoder, another head, older names, other sizes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from common.messages import UserError
from lit_models.bert.bert import BertPretraining
from lit_models.bert.sentences import SentenceEncoder
from lit_models.bert.tagger import BertTagger
from lit_models.layers.pretrained import load_weights


def small(kind: Any = SentenceEncoder, **changes: Any) -> Any:
    return kind(**({"vocab_size": 20, "hidden_size": 8, "max_length": 16, "sep_id": 3} | changes))


def save(folder: Path, tensors: dict[str, torch.Tensor], **config: int) -> str:
    save_file({k: v.clone() for k, v in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_a_bare_encoder_fits_any_head_and_the_heads_stay(tmp_path: Path) -> None:
    source, net = small(), small(BertPretraining)
    source_file = save(tmp_path, source.bert.state_dict() | {"embeddings.position_ids": torch.arange(16)})
    before = net.cls["seq_relationship"].weight.clone()
    load_weights(net, source_file)
    assert all(torch.equal(net.bert.state_dict()[k], v) for k, v in source.bert.state_dict().items())
    assert torch.equal(net.cls["seq_relationship"].weight, before)
    assert net.cls["predictions"].decoder.weight is net.bert.embeddings.word_embeddings.weight


def test_older_names_of_layer_norm_are_known(tmp_path: Path) -> None:
    source, net = small(), small()
    torch.nn.init.normal_(source.bert.embeddings.LayerNorm.weight)
    old = {
        k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
        for k, v in source.bert.state_dict().items()
    }
    load_weights(net, save(tmp_path, old))
    assert torch.equal(net.bert.embeddings.LayerNorm.weight, source.bert.embeddings.LayerNorm.weight)


def test_other_sizes_are_one_line_with_the_arguments_that_fit(tmp_path: Path) -> None:
    source = save(tmp_path, small(hidden_size=12, vocab_size=30, num_layers=1).bert.state_dict(), num_attention_heads=4)
    with pytest.raises(UserError, match=r"--data\.vocab_size 30 --model\.hidden_size 12 --model\.num_heads 4"):
        load_weights(small(), source)


def test_a_file_with_its_head_is_compared_too(tmp_path: Path) -> None:
    tensors = small(BertTagger, pooling="none", num_layers=1).state_dict()
    with pytest.raises(UserError, match=r"num_heads is 4 in the file, 2 here; give --model\.num_heads 4$"):
        load_weights(small(BertTagger, pooling="none", num_layers=1), save(tmp_path, tensors, num_attention_heads=4))
    with pytest.raises(UserError, match=r"give --model\.num_layers 1$"):
        load_weights(small(BertTagger, pooling="none"), save(tmp_path, tensors))


@pytest.mark.parametrize("kind", [BertTagger, BertPretraining])
def test_a_file_with_its_head_and_computed_buffers_loads_whole(kind: Any, tmp_path: Path) -> None:
    source, net = small(kind), small(kind)
    tensors = source.state_dict() | {"bert.embeddings.position_ids": torch.arange(16)}
    load_weights(net, save(tmp_path, tensors, num_attention_heads=2))
    assert all(torch.equal(net.state_dict()[k], v) for k, v in source.state_dict().items())


def test_another_network_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not fit"):
        load_weights(small(), save(tmp_path, {"transformer.wte.weight": torch.zeros(2, 2)}))
