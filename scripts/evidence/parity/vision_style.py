"""Style transfer against torchvision's VGG-19 and the book's equations."""

from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.vision.style import LitStyle
from scripts.evidence.verify import Check, Tensors


@cache
def their_layers() -> nn.Sequential:
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(1)
    net = make_layers(cfgs["E"])
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return net[:29].double()


def pictures() -> tuple[Tensor, Tensor, Tensor]:
    found = torch.randn(3, 1, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return found[0], found[1], found[2].requires_grad_()


def ours() -> Tensors:
    with torch.device("meta"):
        model = LitStyle(image_size=32, width=64)
    model = model.to_empty(device="cpu").double()
    net = model.net.features
    net.load_state_dict(their_layers().state_dict())  # type: ignore[union-attr]
    content, style, image = pictures()
    with torch.no_grad():
        model.wanted = model.features(content), model.features(style)
    total = model.total(image, (content, style))
    total.backward()
    assert image.grad is not None
    return {"loss": total.detach(), "grad image": image.grad}


def book(overwritten: bool = False) -> Tensors:
    """D2L 14.12: extract_features, gram, the three losses with their weights."""
    content, style, image = pictures()

    def extract(x: Tensor) -> dict[int, Tensor]:
        found = {}
        for k, layer in enumerate(their_layers()):
            x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
            if overwritten and isinstance(layer, nn.ReLU):
                found[k - 1] = x
            if isinstance(layer, nn.Conv2d):
                found[k] = x
        return found

    def matrix(x: Tensor) -> Tensor:
        c, n = x.shape[1], x.numel() // x.shape[1]
        return x.reshape(c, n) @ x.reshape(c, n).T / (c * n)

    with torch.no_grad():
        wanted, look = extract(content), extract(style)
    found = extract(image)
    total = ((found[25] - wanted[25]) ** 2).mean()
    for k in (0, 5, 10, 19, 28):
        total = total + 1e4 * ((matrix(found[k]) - matrix(look[k])) ** 2).mean()
    down, right = image[:, :, 1:] - image[:, :, :-1], image[:, :, :, 1:] - image[:, :, :, :-1]
    total = total + 10 * 0.5 * (down.abs().mean() + right.abs().mean())
    total.backward()
    assert image.grad is not None
    return {"loss": total.detach(), "grad image": image.grad}


CHECKS = [
    Check(
        name="vision/style",
        claim="losses of content, style and roughness on VGG-19, and their gradient for the picture",
        package="torchvision",
        ours=ours,
        reference=book,
        control=partial(book, overwritten=True),
        mistake="the features were overwritten by ReLUs in place, as in the book",
    ),
]
