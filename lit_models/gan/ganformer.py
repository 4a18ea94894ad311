"""GANformer: StyleGAN2's generator, whose layers also attend to a few latents, each of which may take one object.

Hudson and Zitnick 2021, "Generative adversarial transformers"; numbers and names of the published PyTorch code
(github.com/dorarad/gansformer), whose checkpoints' tensors load by name. Not in D2L.
K local latents and a global one, the last, pass a mapping network, in which the local ones attend to each other. The
global one is the style of the convolutions; the local ones change the pixels by attention (``bipartite.py``) after each
convolution and before the noise. The discriminator is StyleGAN2's, without attention, as the authors found best.
Departs from the published code: see ``bipartite.py``; path length as in StyleGAN2 (``path_length_upstream``: its own);
no parameters without a gradient: keys of duplex attention, positions that nothing reads, styles of plain convolutions.

    dive fit gan/ganformer                            colored solids, offline
    dive generate gan/ganformer --grid --attention    samples, and which latent each pixel attends to
    dive fit gan/ganformer --model.duplex false       simplex attention
    dive fit gan/ganformer_cifar10                    CIFAR-10

The numbers it reaches are in RESULTS.md.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.generation import Output
from lit_models.functional.drawing import attention_table
from lit_models.gan.bipartite import BipartiteAttention, ImageAttention, Integration, Norm
from lit_models.gan.scenes import SceneAdversarial
from lit_models.gan.style_layers import SLOPE, EqualizedLinear, to_unit_rms
from lit_models.gan.style_networks import Architecture, Discriminator, Synthesis
from lit_models.gan.stylegan2 import StyleGenerator, follow
from lit_models.tasks.trains import trains

RATE = 0.01  # of the mapping's learning rate


class ResidualPair(nn.Module):
    """Two dense layers and a shortcut around them and the attention before them, then a leaky ReLU without gain.

    Args:
        size: Of a latent.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.fc0 = EqualizedLinear(size, size, rate=RATE, activation=True)
        self.fc1 = EqualizedLinear(size, size, rate=RATE)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        return F.leaky_relu(self.fc1(self.fc0(x)) + shortcut, SLOPE)


class LatentMLP(nn.Module):
    """Latents (B, K, D) or (B, D) -> the same shape, one by one, but for the attention among them.

    Args:
        size: D.
        num_layers: Dense layers before the last one; in pairs if ``residual``.
        residual: Pairs of layers with shortcuts.
        attention: Makes the attention among latents before each pair; None: there is none.
    """

    def __init__(self, size: int, num_layers: int, residual: bool, attention: Any = None) -> None:
        super().__init__()
        self.count = num_layers // 2 if residual else num_layers
        self.attends = attention is not None
        for k in range(self.count):
            if attention is not None:
                self.add_module(f"sa{k}", attention())
            layer = ResidualPair(size) if residual else EqualizedLinear(size, size, rate=RATE, activation=True)
            self.add_module(f"l{k}", layer)
        self.out_layer = EqualizedLinear(size, size, rate=RATE, activation=True)

    def forward(self, x: Tensor, positions: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        for k in range(self.count):
            before = x
            if self.attends:
                x, _, _ = self.get_submodule(f"sa{k}")(x, x, positions, positions, mask)
            layer = self.get_submodule(f"l{k}")
            x = layer(x, before) if isinstance(layer, ResidualPair) else layer(x)
        return self.out_layer(x)


class LatentMapping(nn.Module):
    """Noise (B, K + 1, D) -> latents (B, K + 1, D), the global one last; ``w_avg`` (D,) is the mean of all in training.

    Args:
        size: D.
        num_layers, residual: See ``LatentMLP``.
        attention: Makes the attention among the local latents.
    """

    w_avg: Tensor

    def __init__(self, size: int, num_layers: int, residual: bool, attention: Any) -> None:
        super().__init__()
        self.global_mlp = LatentMLP(size, num_layers, residual)
        self.mlp = LatentMLP(size, num_layers, residual, attention)
        self.register_buffer("w_avg", torch.zeros(size))

    def forward(self, z: Tensor, positions: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        whole = self.global_mlp(to_unit_rms(z[:, -1]))
        local = self.mlp(to_unit_rms(z[:, :-1], (1, 2)), positions, mask)  # normalized jointly
        ws = torch.cat([local, whole[:, None]], 1)
        if self.training:
            follow(self.w_avg, ws)
        return ws


class LatentGenerator(StyleGenerator):
    """``StyleGenerator`` whose layers attend to local latents.

    Args:
        mapping, synthesis, mixing: See ``StyleGenerator``.
        pos: The positions of local latents (K, D); None: nothing reads them.
    """

    def __init__(self, mapping: nn.Module, synthesis: nn.Module, mixing: float, pos: nn.Parameter | None) -> None:
        super().__init__(mapping, synthesis, mixing)
        self.pos = pos

    def styles(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None, **mapping: Any) -> Tensor:
        return super().styles(z, truncation, cutoff, positions=self.pos, **mapping)

    def images(self, ws: Tensor, noise: Any = None, maps: list[Tensor] | None = None, **attention: Any) -> Tensor:
        """Images; the attention (B, heads, K, side, side) of each layer is appended to ``maps``."""
        maps = [] if maps is None else maps
        return super().images(ws, noise, positions=self.pos, maps=maps, **attention)


class GANformer(nn.Module):
    """The two networks of a GANformer. Noise (B, K + 1, latent_size / K) -> images (B, in_channels, S, S).

    Args:
        in_channels: Channels of an image.
        image_size: Side S of an image, a power of two from 8 on.
        latent_size: Numbers in the noise of all local latents together; 512 in the paper.
        num_latents: K; 16 in the paper, 8 for CLEVR. The global one is added.
        mapping_layers: Dense layers of the mapping.
        mapping_residual: In pairs with shortcuts.
        mapping_attention: The local latents attend to each other.
        width: Channels at side s are ``width`` / s.
        max_channels: But at most so many.
        architecture: Of the generator.
        styled: The global latent is the style of the convolutions; else they are plain (the paper's CLEVR model).
        duplex: Duplex attention, else simplex.
        iterations: Of k-means in duplex attention.
        iterative: The k-means of a layer begins with the assignment of the layer before.
        integration: How attention changes the pixels: ``mul``, ``add`` or ``both``.
        norm: Of the pixels before: ``layer``, ``instance`` or ``none``.
        positions: Latents have positions.
        num_heads: Of the attention.
        attention_dropout: In training.
        most_side: There is attention up to this side in pixels.
        mixing: Probability that a sample of training has the latents of two noises.
        group_size: Samples that the discriminator's minibatch deviation compares.
    """

    kind = "GANformer"

    def __init__(
        self,
        in_channels: int = 3,
        image_size: int = 32,
        latent_size: int = 128,
        num_latents: int = 8,
        mapping_layers: int = 8,
        mapping_residual: bool = True,
        mapping_attention: bool = True,
        width: int = 1024,
        max_channels: int = 64,
        architecture: Architecture = "resnet",
        styled: bool = True,
        duplex: bool = True,
        iterations: int = 1,
        iterative: bool = False,
        integration: Integration = "mul",
        norm: Norm = "layer",
        positions: bool = True,
        num_heads: int = 1,
        attention_dropout: float = 0.12,
        most_side: int = 128,
        mixing: float = 0.9,
        group_size: int = 4,
    ) -> None:
        super().__init__()
        if num_latents < 1 or latent_size % num_latents:
            raise ValueError(
                f"latent_size is {latent_size}, the sum over num_latents = {num_latents} latents: give a multiple of it"
            )
        size = latent_size // num_latents
        self.latent_shape, self.num_conditions, self.num_classes = (num_latents + 1, size), 0, 0
        common: dict[str, Any] = {"num_heads": num_heads, "positions": positions, "dropout": attention_dropout}

        def among() -> nn.Module:
            return BipartiteAttention(size, size, num_latents, integration="add", norm="none", grid=positions, **common)

        def between(channels: int, side: int) -> nn.Module | None:
            if side > most_side:
                return None
            kinds: dict[str, Any] = {"duplex": duplex, "iterations": iterations, "iterative": iterative}
            options = common | kinds | {"integration": integration, "norm": norm, "num_latents": num_latents}
            return ImageAttention(side, channels, size, **options)

        mapping = LatentMapping(size, mapping_layers, mapping_residual, among if mapping_attention else None)
        synthesis = Synthesis(image_size, in_channels, size, width, max_channels, architecture, between, styled)
        read = positions and (mapping_attention or not duplex)
        pos = nn.Parameter(torch.rand(num_latents, size)) if read else None
        self.generator = LatentGenerator(mapping, synthesis, mixing, pos)
        self.discriminator = Discriminator(image_size, in_channels, width, max_channels, group_size)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)

    def from_published(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of the published code, ``G.`` or ``G_ema.`` and ``D.`` before their names, under our names.

        Where both generators are there the average is taken. Filters, grids and what gets no gradient are left out.

        Raises:
            KeyError: One of ours is not among them.
        """
        parts = {"G": "generator", "G_ema": "generator", "D": "discriminator"}
        theirs: dict[str, Tensor] = {}
        for name in sorted(found, key=lambda name: name.startswith("G_ema.")):
            part, _, rest = name.partition(".")
            if part in parts:
                theirs[f"{parts[part]}.{rest.replace('biasAct.', '')}"] = found[name]
        return {name: theirs[name] for name in self.state_dict()}


@trains(GANformer)
class LitGANformer(SceneAdversarial):
    """A GANformer."""

    @torch.no_grad()
    def attention_maps(self, ws: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, S, S) of latents, and the attention of each layer, a mean over heads, enlarged to the image:
        (B, K, layers, S, S).
        """
        maps: list[Tensor] = []
        images = self.sampler.images(ws, maps=maps)  # type: ignore[operator]
        size = list(images.shape[-2:])
        return images, torch.stack([F.interpolate(m.mean(1), size, mode="nearest") for m in maps], 2)

    def generate(
        self,
        data: Any,
        prompts: Sequence[str],
        *,
        samples: int = 64,
        seed: int = 0,
        grid: bool = True,
        interpolate: bool = False,
        truncation: float = 1.0,
        mixing: bool = False,
        attention: bool = False,
    ) -> Iterator[Output]:
        """As ``StyleAdversarial``, and attention.

        Args:
            data: As there.
            prompts: As there.
            samples: How many images.
            seed: Of the noise.
            grid: All images in one picture; else a file for each.
            interpolate: An animation on the way from each image to the next.
            truncation: How far styles are from their mean: 1 as they are, 0.7 fewer odd samples, 0 always the mean.
            mixing: A table of images that take coarse styles from their row and fine ones from their column.
            attention: A table: in a row an image, and each layer's attention, a color for each latent.
        """
        yield from super().generate(
            data,
            prompts,
            samples=samples,
            seed=seed,
            grid=grid,
            interpolate=interpolate,
            truncation=truncation,
            mixing=mixing,
        )
        if attention:
            noise = self.noise(min(samples, 8), torch.Generator().manual_seed(seed))
            images, maps = self.attention_maps(self.sampler.styles(noise, truncation))  # type: ignore[operator]
            yield Output(0, image=attention_table(images, maps), name=f"attention_{seed}")
