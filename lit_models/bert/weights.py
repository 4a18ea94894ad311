"""Hugging Face's files of BERT for our networks: a bare encoder, or one with a head.

Names are the same but for the prefix ``bert.``, which a bare encoder's file does not have, and the older names of
LayerNorm's parameters.
"""

from typing import Any

from torch import Tensor, nn

from lit_models.bert.encoder import Bert

COMPUTED = ("position_ids",)  # buffers of old files
CONFIG = {  # of a config.json, and ours
    "num_attention_heads": "num_heads",
    "intermediate_size": "ffn_size",
    "max_position_embeddings": "max_length",
}


class BertNet(nn.Module):
    """A network around an encoder: ``self.bert`` and a head.

    With ``weights`` of Hugging Face's the encoder is read, and the head where it has the file's shape.

    Args:
        vocab_size, hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id: See ``Bert``.
    """

    kind = "BERT"
    published_names = True
    HEADS: tuple[str, ...] = ("bert.pooler", "cls", "classifier", "qa_outputs")

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int = 128,
        num_layers: int = 2,
        num_heads: int = 2,
        ffn_size: int = 0,
        max_length: int = 512,
        dropout: float = 0.1,
        pad_id: int = 0,
        sep_id: int = 102,
    ) -> None:
        super().__init__()
        sizes = (vocab_size, hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id)
        self.bert = Bert(*sizes)
        self.add_head(hidden_size)

    def add_head(self, hidden_size: int) -> None:
        """Makes the head's layers; a network without one has none to make."""

    def from_published(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Hugging Face's tensors under our names; heads that this network does not have are left out."""
        own = self.state_dict()
        found = {}
        for name, value in tensors.items():
            name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
            if name.endswith(COMPUTED):
                continue
            if name.startswith(("embeddings.", "encoder.", "pooler.")):
                name = f"bert.{name}"
            if name in own or not name.startswith(self.HEADS):
                found[name] = value
        found |= {name: value for name, value in own.items() if ".lora_" in name and name not in found}
        if (decoder := "cls.predictions.decoder.weight") in own and decoder not in found:  # tied, and saved once
            found[decoder] = found["bert.embeddings.word_embeddings.weight"]
        if (bias := "cls.predictions.decoder.bias") in own and "cls.predictions.bias" in tensors:
            found[bias] = tensors["cls.predictions.bias"]
        return found

    def sizes(self) -> dict[str, Any]:
        """The encoder's own sizes."""
        return self.bert.arguments

    def sizes_of(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Any]:
        """The sizes of the encoder that a file was made for, as far as its tensors and its ``config.json`` say."""
        plain = {name.removeprefix("bert."): value for name, value in tensors.items()}
        words = plain.get("embeddings.word_embeddings.weight")
        layers = {name.split(".")[2] for name in plain if name.startswith("encoder.layer.")}
        found: dict[str, Any] = {"num_layers": len(layers)} if layers else {}
        if words is not None:
            found |= {"vocab_size": words.shape[0], "hidden_size": words.shape[1]}
        return found | {ours: config[theirs] for theirs, ours in CONFIG.items() if theirs in config}
