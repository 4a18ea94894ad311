"""``tokens.png``: the words, or characters, of a few test texts that the predicted class depends on, by the gradient.

Simonyan, Vedaldi and Zisserman 2013, "Deep inside convolutional networks", for images; here the gradient of the
predicted class's logit by each token's embedding, times the embedding: the effect of removing the token, to first
order.
"""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor, nn

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute

Row = tuple[list[str], list[float], str]  # tokens, the influence of each, the predicted class


class TokenInfluence(TestPicture):
    """Draws texts of the test batches ``(tokens, y)``, of a network that begins with an ``nn.Embedding``.

    The tokens' names are ``datamodule.vocabulary``, the classes' ``datamodule.class_names``; token 0 is padding.

    Args:
        num_texts: Number of texts, spread evenly over the first 256 of the split.
    """

    name = "tokens"
    max_rows = 256

    def __init__(self, num_texts: int = 12) -> None:
        self.num_texts = num_texts

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        return {"tokens": batch[0], "truth": batch[-1]} if data_attribute(trainer, "vocabulary") else None

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Rows:
        count = len(rows["truth"])
        chosen = torch.linspace(0, count - 1, min(self.num_texts, count)).long()
        tokens = rows["tokens"][chosen]
        influence, logits = token_influence(pl_module, tokens.to(pl_module.device))
        return {"tokens": tokens, "truth": rows["truth"][chosen], "influence": influence, "logits": logits}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        vocabulary = data_attribute(trainer, "vocabulary")
        names = data_attribute(trainer, "class_names") or [str(k) for k in range(found["logits"].shape[1])]
        lines: list[Row] = []
        for tokens, truth, values, guess in zip(
            found["tokens"], found["truth"], found["influence"], found["logits"].argmax(1), strict=True
        ):
            kept = tokens != 0
            verdict = names[guess] + ("" if guess == truth else f" (it is {names[truth]})")
            lines.append(([vocabulary[i] for i in tokens[kept].tolist()], values[kept].tolist(), verdict))
        return draw_tokens(lines)


def token_influence(net: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The influence (B, T) of each token on the logit of the predicted class, and the logits (B, C)."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    embedding = next(module for module in net.modules() if isinstance(module, nn.Embedding))
    hook = embedding.register_forward_hook(keep)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            logits = net(tokens.clone())
            (gradient,) = torch.autograd.grad(logits.amax(1).sum(), kept[0])
    finally:
        hook.remove()
    return (gradient * kept[0]).sum(2).detach().float().cpu(), logits.detach().float().cpu()


def draw_tokens(rows: list[Row]) -> Figure:
    """One line per text: its tokens, red where they support the predicted class and blue where they oppose it."""
    longest = max(sum(len(token) + 1 for token in tokens) for tokens, _, _ in rows)
    figure = new_figure(min(16.0, 0.09 * longest + 3.5), 0.32 * len(rows) + 0.3)
    ax = figure.subplots()
    ax.set_axis_off()
    ax.set(xlim=(0, min(longest, 130) + 30), ylim=(len(rows), -0.5))
    for line, (tokens, values, verdict) in enumerate(rows):
        ax.text(0, line, verdict, fontsize="small", va="center", weight="bold")
        most = max(map(abs, values), default=0) or 1.0
        place = 30.0
        for token, value in zip(tokens, values, strict=True):
            if place > 30 + 130:
                break  # of a long text only the beginning has room
            color = (1.0, 0.2, 0.1, 0.8 * value / most) if value > 0 else (0.1, 0.3, 1.0, -0.8 * value / most)
            box = {"boxstyle": "square,pad=0.1", "facecolor": color, "edgecolor": "none"}
            ax.text(place, line, token.replace("$", r"\$"), fontsize="small", va="center", family="monospace", bbox=box)
            place += len(token) + (0.6 if len(token) > 1 else 0.4)
    return figure
