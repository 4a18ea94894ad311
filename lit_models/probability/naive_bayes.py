"""Naive Bayes on binary pixels: counting, in log space.

Maron 1961, "Automatic indexing"; McCallum and Nigam 1998 (the Bernoulli event model). D2L 22.9.
Departs from the book: it takes the logarithm only after its first version has multiplied 784 probabilities to zero;
here log space is all there is. Pixels are 1 from 128 of 255 on and counts are smoothed as in the book, (n + 1) / (n_y
+ 2): the exact accuracy on MNIST's test set, 0.8427 with all 60,000 training images, is a test.

    dive fit probability/naive_bayes            5,000 real digits, offline
    dive fit probability/naive_bayes_mnist      all of MNIST
    dive generate probability/naive_bayes       the classes' pixels, and images drawn from them

The numbers it reaches are in RESULTS.md.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.generation import Output
from common.messages import UserError
from lit_models.functional.drawing import tiles
from lit_models.layers.precision import full_precision
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.processes import precise
from lit_models.tasks.trains import trains


class NaiveBayes(nn.Module):
    """Images (B, C, H, W), or rows (B, D), of numbers in [0, 1] -> log p(class, pixels) (B, num_classes).

    Args:
        num_classes: Number of classes.
        in_channels, image_size: Of the images.
        threshold: A pixel counts as 1 from here on; the book's 128 of 255.
    """

    def __init__(
        self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28, threshold: float = 127.5 / 255
    ) -> None:
        super().__init__()
        self.threshold, self.shape = threshold, (in_channels, image_size, image_size)
        self.log_prior = nn.Parameter(torch.zeros(num_classes))
        self.logits = nn.Parameter(torch.zeros(num_classes, in_channels * image_size**2))  # of a pixel being 1

    def binary(self, x: Tensor) -> Tensor:
        """1 where a pixel is at least the threshold, else 0: (B, D)."""
        return (x.flatten(1) >= self.threshold).to(self.logits)

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.binary(x)
        off = -F.softplus(self.logits)  # log p(pixel is 0 | class)
        return self.log_prior + pixels @ self.logits.T + off.sum(1)


def counted(pixels: Tensor, y: Tensor, num_classes: int, smoothing: float = 1.0) -> dict[str, Tensor]:
    """The smoothed maximum-likelihood parameters of ``NaiveBayes``.

    Args:
        pixels: Zeros and ones (N, D), in double precision.
        y: Classes (N,).
        num_classes: Number of classes.
        smoothing: Is added to the counts of ones and of zeros: Laplace's rule of succession with 1.

    Raises:
        UserError: Without smoothing some pixel is always the same in a class.
    """
    one_hot = F.one_hot(y, num_classes).to(pixels)  # (N, C)
    of_class = one_hot.sum(0)
    p = (one_hot.T @ pixels + smoothing) / (of_class[:, None] + 2 * smoothing)
    if not bool(((p > 0) & (p < 1)).all()):
        raise UserError("a pixel is always the same in a class: give model.smoothing more than 0")
    return {
        "log_prior": (of_class / len(y)).clamp(min=1e-12).log(),  # of a class without rows it would be infinite
        "logits": p.logit(),
    }


@trains(NaiveBayes)
class LitNaiveBayes(Classifier):
    """Naive Bayes; the counts of all training rows, on each process, are reached by one step of SGD of rate 1.

    ``test/loss`` is large: pixels of a stroke are not independent, so that the classifier is far too certain.

    Args:
        smoothing: See ``counted``.
        **task: See ``Task``.
    """

    smooths = False

    def __init__(self, num_classes: int = 10, smoothing: float = 1.0, **task: Any) -> None:
        super().__init__(num_classes=num_classes, **task)
        self.num_classes, self.smoothing = num_classes, smoothing
        self.solution: dict[str, Tensor] | None = None

    def forward(self, *inputs: Tensor) -> Any:
        with full_precision(inputs[0]):  # bfloat16 has two digits for a sum over hundreds of pixels
            return super().forward(*inputs)

    def solve(self) -> dict[str, Tensor]:
        """The parameters of the training rows, computed once."""
        if self.solution is None:
            net: Any = self.net
            batch = self.data_attribute("transform")(self.data_attribute("splits")["train"])
            pixels = net.binary(batch[0].to(self.device)).to(precise(self.device))
            self.solution = counted(pixels, batch[1].to(self.device), self.num_classes, self.smoothing)
        return self.solution

    def generate(self, data: Any, prompts: Sequence[str], *, samples: int = 4, seed: int = 0) -> Iterator[Output]:
        """Yields a picture: on top how probable each pixel is in each class, below images that are drawn from that.

        The drawn ones show what "naive" means: each pixel has the right mean, and no pixel knows of its neighbors.

        Args:
            data: The datamodule; not used.
            prompts: None: each class has a column.
            samples: Images of each class.
            seed: Of the pixels.

        Raises:
            UserError: There are prompts, fewer than 0 samples, or a network of your own.
        """
        if not isinstance(self.net, NaiveBayes):
            raise UserError("only NaiveBayes itself has probabilities of pixels to draw from")
        if prompts:
            raise UserError("naive Bayes has no prompt: leave out --prompt, each class has a column")
        if samples < 0:
            raise UserError(f"--samples is {samples}: give at least 0")
        p = self.net.logits.detach().sigmoid().cpu()  # (num_classes, D)
        drawn = torch.rand(samples, *p.shape, generator=torch.Generator().manual_seed(seed)) < p
        rows = torch.cat([p[None], drawn.float()]).flatten(0, 1).view(-1, *self.net.shape)
        yield Output(0, image=tiles(rows, self.num_classes, zoom=2), name="classes")

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        parameters = dict(self.net.named_parameters())
        terms = [(parameters[name] - value.to(parameters[name])).square().sum() for name, value in self.solve().items()]
        loss = torch.stack(terms).sum() / 2
        self.record_train_loss(loss, len(batch[0]))
        return loss
