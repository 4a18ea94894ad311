"""A BERT with a dense layer on top, fine-tuned whole, frozen, or by LoRA: what all heads share.

Devlin et al. 2019, section 3.2; D2L 16.6, which describes four heads and has code for one.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from common.messages import UserError, note
from lit_models.bert.encoder import STD, Bert, initialize, mean_pooled
from lit_models.bert.weights import BertNet
from lit_models.layers.lora import add_lora, merge_lora


class BertHead(BertNet):
    """Base of the networks with a head: a subclass has ``forward``.

    Args:
        vocab_size: Number of tokens.
        num_classes: Outputs of the dense layer.
        hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id: See ``Bert``.
        init_std, init_positions: See ``Bert``.
        pooling: What a text's vector is. ``cls``: the pooled state of the first token, as published; ``mean`` of all
            states, as Sentence-BERT; ``none``: each token has its own.
        frozen: The encoder stays as it is: only the dense layer is trained.
        lora_rank: Rank of the small matrices that are trained beside the frozen encoder's; 0: there are none.
        lora_alpha: Weight of their change.

    Raises:
        UserError: ``frozen`` with ``lora_rank``.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int = 2,
        hidden_size: int = 128,
        num_layers: int = 2,
        num_heads: int = 2,
        ffn_size: int = 0,
        max_length: int = 512,
        dropout: float = 0.1,
        pad_id: int = 0,
        sep_id: int = 3,
        init_std: float = STD,
        init_positions: Literal["random", "sinusoids"] = "random",
        pooling: Literal["cls", "mean", "none"] = "cls",
        frozen: bool = False,
        lora_rank: int = 0,
        lora_alpha: float = 16.0,
    ) -> None:
        nn.Module.__init__(self)
        if frozen and lora_rank:
            raise UserError("model.frozen trains only the dense layer: give --model.frozen false for model.lora_rank")
        sizes = (vocab_size, hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id)
        self.bert = Bert(*sizes, pooler=pooling == "cls", init_std=init_std, init_positions=init_positions)
        self.num_classes, self.pooling, self.frozen = num_classes, pooling, frozen
        if frozen:
            self.bert.requires_grad_(False).eval()  # Lightning keeps each layer's mode: it does not call ``train``
        if lora_rank:
            add_lora(self.bert, lora_rank, lora_alpha)
        self.known: KnownTexts | None = None  # of a frozen encoder, while its head is trained
        self.dropout = nn.Dropout(dropout)
        self.add_head(hidden_size)

    rows_at_once = 128  # texts of which ``know`` computes the vectors together

    def add_head(self, hidden_size: int) -> None:
        self.classifier = nn.Linear(hidden_size, self.num_classes)
        initialize(self.classifier)

    def train(self, mode: bool = True) -> "BertHead":
        """A frozen encoder has no dropout in training either."""
        super().train(mode)
        if self.frozen:
            self.bert.eval()
        return self

    def merge_lora(self) -> None:
        """Adds the small matrices to the large ones: for exports."""
        merge_lora(self)

    def _features(self, tokens: Tensor) -> Tensor:
        states, pooled = self.bert(tokens)
        if self.pooling == "none":
            return states
        return pooled if self.pooling == "cls" else mean_pooled(states, tokens != self.bert.pad_id)

    def features(self, tokens: Tensor) -> Tensor:
        """What the dense layer gets: a vector per text (B, D), or per token (B, T, D)."""
        if not self.frozen:
            return self.dropout(self._features(tokens))
        found = self.known.find(tokens) if self.known is not None else None
        if found is None:
            with torch.no_grad():
                found = self._features(tokens)
        else:
            found = self.spread(found, tokens)
        return self.dropout(found)

    def compact(self, features: Tensor, tokens: Tensor) -> Tensor:
        """What is kept of the features of texts (B, T) by ``know``."""
        return features

    def spread(self, kept: Tensor, tokens: Tensor) -> Tensor:
        """The features of texts (B, T), of what is kept of them."""
        return kept

    @torch.no_grad()
    def know(self, rows: Tensor, batch_size: int = 0) -> None:
        """Computes the vectors of texts (N, T), padded at their ends, once for all epochs of a frozen encoder.

        Texts of like lengths are computed together, always the same ones, so that a continued run has the same vectors.
        """
        lengths = (rows != self.bert.pad_id).sum(1)
        device = self.classifier.weight.device
        vectors: list[Tensor] = []
        order = lengths.argsort(stable=True)
        for part in reversed(order.split(batch_size or self.rows_at_once)):  # the longest first: memory is used again
            tokens = rows[part, : int(lengths[part].max())].long().to(device)
            vectors = [*self.compact(self._features(tokens), tokens), *vectors]
        kept = nn.utils.rnn.pad_sequence(vectors, batch_first=True) if vectors[0].ndim > 1 else torch.stack(vectors)
        self.known = KnownTexts(rows[order].cpu(), kept, self.bert.pad_id)


class KnownTexts:
    """Vectors of texts by their tokens.

    Args:
        rows: Tokens (N, T), padded at their ends.
        vectors: (N, D), or several for each text (N, S, D).
        pad_id: The padding.
    """

    def __init__(self, rows: Tensor, vectors: Tensor, pad_id: int) -> None:
        self.vectors, self.pad_id = vectors, pad_id
        self.places = {key: place for place, key in enumerate(self.keys(rows))}

    def keys(self, rows: Tensor) -> list[bytes]:
        """The tokens of each text without padding, as bytes."""
        lengths = (rows != self.pad_id).sum(1).tolist()
        return [row[:n].tobytes() for row, n in zip(rows.to(torch.int32).cpu().numpy(), lengths, strict=True)]

    def find(self, tokens: Tensor) -> Tensor | None:
        """The vectors (B, ...) of texts (B, T); None if one is not known."""
        places = [self.places.get(key, -1) for key in self.keys(tokens)]
        return None if min(places) < 0 else self.vectors[torch.tensor(places, device=self.vectors.device)]


def know_texts(task: Any) -> None:
    """Computes once what a frozen encoder makes of the texts of training and validation, if there are several epochs.

    Called when training begins. A run of some batches only (``--trainer.limit_train_batches``) does not need it, and
    where weights are shared out among processes each computes its batches.
    """
    net, trainer = task.net, task.trainer
    whole = trainer.limit_train_batches in (None, 1.0) and not trainer.fast_dev_run
    if not (isinstance(net, BertHead) and net.frozen and whole) or trainer.max_epochs == 1 or net.pooling == "none":
        return
    splits = task.data_attribute("splits", {})
    texts = [splits[name][0] for name in ("train", "val") if splits.get(name)]
    if any(p.requires_grad for p in net.bert.parameters()) or task.device_mesh is not None or not texts:
        return
    width = max(part.shape[1] for part in texts)
    rows = torch.cat([nn.functional.pad(part, (0, width - part.shape[1]), value=net.bert.pad_id) for part in texts])
    note(f"the encoder is frozen: what it makes of {len(rows):,} texts is computed once, for all epochs")
    net.know(rows)
