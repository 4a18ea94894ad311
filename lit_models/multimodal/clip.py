"""CLIP in small: pictures and captions get vectors that are close if they belong together.

Radford et al. 2021, "Learning transferable visual models from natural language supervision". Not in D2L; CS25. An image
tower and a text tower, trained by nothing but which caption stands with which picture in the batch
(``lit_models/functional/contrastive.py``). A class is then a caption: pictures are sorted into classes that training
never had (zero-shot). With several processes the captions of all of them are candidates.
Departs from the paper: a small ViT and words as tokens; GELU unless ``activation`` is its approximation.

    dive fit multimodal/clip                              two digits and their names in thirteen languages, offline
    dive fit multimodal/clip --data.shuffled true         captions of other pictures: nothing to learn

The numbers they reach are in RESULTS.md.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from lit_models.functional.contrastive import contrastive_loss
from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.positions import LearnedPositions
from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

HOTTEST = math.log(100)  # the paper's bound on the logarithm of the scale
KINDS = ("seen", "pairs", "numbers")  # of test rows, by their third label


class QuickGELU(nn.Module):
    """x sigmoid(1.702 x), which the published weights were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


def layers(count: int, hidden_size: int, num_heads: int, causal: bool, activation: str) -> nn.ModuleList:
    """Transformer layers that normalize first."""
    made = nn.ModuleList()
    for _ in range(count):
        feed_forward = FeedForward(hidden_size, 4 * hidden_size, "gelu")
        if activation == "quick_gelu":
            feed_forward.activation = QuickGELU()
        attention = MultiHeadAttention(hidden_size, num_heads, bias=True, causal=causal)
        made.append(TransformerLayer(attention, feed_forward, lambda: nn.LayerNorm(hidden_size)))
    return made


class CLIP(nn.Module):
    """Images x (B, C, S, S) and texts (B', T) -> their vectors of length one (B, E), (B', E), and the scale (1,).

    A text's vector is read at its end token, which has seen all of it; an image's at the class token.

    Args:
        in_channels, image_size, patch_size: Of the images, S pixels wide and high, in patches of P.
        vocab_size, seq_len: Of the texts; the longest has ``seq_len`` tokens.
        hidden_size, num_layers, num_heads: Of both towers; the inner size is four times ``hidden_size``.
        embed_size: Features E of the common space.
        end_id: The token behind a text.
        activation: ``gelu``, or ``quick_gelu`` as published.

    Raises:
        ValueError: The patches do not divide the image.
    """

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        patch_size: int = 14,
        vocab_size: int = 128,
        seq_len: int = 4,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        embed_size: int = 64,
        end_id: int = 2,
        activation: Literal["gelu", "quick_gelu"] = "gelu",
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"image_size {image_size} is not a multiple of patch_size {patch_size}: give another one")
        self.end_id = end_id
        self.patches = nn.Conv2d(in_channels, hidden_size, patch_size, patch_size, bias=False)
        self.class_token = nn.Parameter(torch.randn(1, 1, hidden_size) * hidden_size**-0.5)
        self.image_positions = LearnedPositions(hidden_size, (image_size // patch_size) ** 2 + 1)
        self.image_first_norm, self.image_norm = nn.LayerNorm(hidden_size), nn.LayerNorm(hidden_size)
        self.image_layers = layers(num_layers, hidden_size, num_heads, False, activation)
        self.image_projection = nn.Linear(hidden_size, embed_size, bias=False)
        self.tokens = nn.Embedding(vocab_size, hidden_size)
        nn.init.normal_(self.tokens.weight, std=0.02)
        self.text_positions = LearnedPositions(hidden_size, seq_len, std=0.01)
        self.text_layers = layers(num_layers, hidden_size, num_heads, True, activation)
        self.text_norm = nn.LayerNorm(hidden_size)
        self.text_projection = nn.Linear(hidden_size, embed_size, bias=False)
        self.log_scale = nn.Parameter(torch.full((1,), math.log(1 / 0.07)))

    def forward(self, x: Tensor, texts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        patches = self.patches(x).flatten(2).transpose(1, 2)  # (B, (S / P)^2, D)
        seen = self.image_positions(torch.cat([self.class_token.expand(x.shape[0], -1, -1), patches], 1))
        seen = self.image_first_norm(seen)
        for layer in self.image_layers:
            seen = layer(seen)
        image = self.image_projection(self.image_norm(seen[:, 0]))
        read = self.text_positions(self.tokens(texts))  # (B', T, D)
        for layer in self.text_layers:
            read = layer(read)
        end = (texts == self.end_id).long().argmax(1)
        text = self.text_projection(self.text_norm(read[torch.arange(texts.shape[0], device=texts.device), end]))
        return F.normalize(image, dim=1), F.normalize(text, dim=1), self.log_scale.exp()


@trains(CLIP)
class LitCLIP(Task):
    """CLIP trained by pairs. Batch: images (B, C, S, S), texts (B, T), labels (B, 3): group, class, kind of the row.

    The datamodule's ``captions`` (G, K, T) are the classes of each group of texts, one language each. Logs
    ``train/loss``, the contrastive loss; of validation and test ``loss``, the cross-entropy of the right one of a
    row's K captions; ``acc``, how often it is the closest; ``test/acc_KIND`` for each of ``KINDS``; ``val/scale``.

    Args:
        in_channels, image_size, seq_len: See ``CLIP``.
        **task: See ``Task``.
    """

    net: CLIP
    output_means = "Scaled cosines of each image with each text: softmax over dimension 1 compares the texts."

    def __init__(self, in_channels: int = 1, image_size: int = 28, seq_len: int = 4, **task: Any) -> None:
        super().__init__(**task)
        self.example_input = (torch.zeros(1, in_channels, image_size, image_size), torch.full((1, seq_len), 2))
        names = ("val_loss", "val_acc", "test_loss", "test_acc", *(f"test_acc_{kind}" for kind in KINDS))
        self.measures: Any = nn.ModuleDict({name: MeanMetric(nan_strategy="ignore") for name in names})

    def forward(self, x: Tensor, texts: Tensor) -> Tensor:  # type: ignore[override]
        """Scaled cosines (B, B')."""
        image, text, scale = self.net(x, texts)
        return scale * image @ text.T

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        x, texts, _ = batch
        with torch.no_grad():
            self.net.log_scale.clamp_(max=HOTTEST)
        image, text, scale = (at_least_float32(t) for t in self.net(x, texts))
        if self.trainer.world_size > 1:  # the candidates of all processes; the gradient goes back to their owners
            images, captions = (self.all_gather(t, sync_grads=True).flatten(0, 1) for t in (image, text))  # type: ignore[union-attr]
            loss = contrastive_loss(image, text, scale, images, captions, first=self.global_rank * len(x))
        else:
            loss = contrastive_loss(image, text, scale)
        self.record_train_loss(loss, len(x))
        return loss

    def scores(self, x: Tensor, group: Tensor) -> Tensor:
        """Scaled cosines (B, K) of images with the captions of the group of each."""
        captions: Tensor = self.data_attribute("captions").to(x.device)
        used, place = group.unique(return_inverse=True)
        image, text, scale = (at_least_float32(t) for t in self.net(x, captions[used].flatten(0, 1)))
        with full_precision(x):  # half precision cannot tell near captions apart
            found = (scale * image @ text.T).unflatten(1, (len(used), -1))
        return found[torch.arange(len(x), device=x.device), place]

    def measure(self, batch: tuple[Tensor, ...], split: str) -> None:
        """Adds a batch to the measures of a split."""
        x, _, labels = batch
        group, own, kind = labels.unbind(1)
        scores = self.scores(x, group)
        right = (scores.argmax(1) == own).float()
        self.measures[f"{split}_loss"].update(F.cross_entropy(scores, own, reduction="none"))
        self.measures[f"{split}_acc"].update(right)
        for number, name in enumerate(KINDS if split == "test" else ()):
            if bool((kind == number).any()):
                self.measures[f"test_acc_{name}"].update(right[kind == number])

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.measure(batch, "val")

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.measure(batch, "test")

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.measures["val_loss"])
        self.log("val/acc", self.measures["val_acc"], prog_bar=True)

    def on_test_epoch_end(self) -> None:
        for name, metric in self.measures.items():
            if name.startswith("test_"):
                self.log(name.replace("_", "/", 1), metric)

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        """Returns ``label`` (B,), the closest caption of the row's group, and ``probabilities`` (B, K)."""
        probabilities = self.scores(batch[0], batch[-1][:, 0]).softmax(1)
        return {"label": probabilities.argmax(1), "probabilities": probabilities}

    def maps(self) -> list[dict[str, Any]]:
        """For ``HeatMaps``: mean cosines of validation pictures of some numbers and the captions of these numbers."""
        splits, transform, texts = (self.data_attribute(name) for name in ("splits", "transform", "captions"))
        names, groups = self.data_attribute("class_names"), self.data_attribute("group_names")
        x, _, labels = (t.to(self.device) for t in transform(splits["val"]))
        shown = [i for i in (12, 21, 34, 43, 56, 65, 78, 87) if bool((labels[:, 1] == i).any())]
        chosen = torch.tensor([i for i in range(len(x)) if int(labels[i, 1]) in shown], dtype=torch.long)
        if not len(chosen):
            return []
        some = sorted({0, len(groups) // 2, len(groups) - 1})
        with torch.no_grad():
            captions = texts[some][:, shown].to(self.device)
            image, text, _ = self.net.eval()(x[chosen].to(self.dtype), captions.flatten(0, 1))
        cosines = (image @ text.T).unflatten(1, (len(some), -1)).float().cpu()  # (N, groups, numbers)
        own = labels[chosen, 1].cpu()
        means = torch.stack([cosines[own == i].mean(0) for i in shown])  # (numbers, groups, numbers)
        labels_of = [names[i] for i in shown]
        return [
            {"title": groups[g], "values": means[:, k].clamp(min=0), "rows": labels_of, "columns": labels_of}
            for k, g in enumerate(some)
        ]
