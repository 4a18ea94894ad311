"""GANformer: sizes, gradients, what the published code computes, and generation.

The published code's numbers are files beside the folder of public data (``DIVE_DATA/../fixtures``), which the project
does not have: without them these tests are skipped. They were made in single precision; ours are computed in double, so
that a difference is theirs up to ``float32_error``, which the files state for each quantity.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.gan.bipartite import BipartiteAttention, sinusoidal_grid
from lit_models.gan.ganformer import GANformer, LitGANformer
from lit_models.tasks.adversarial_losses import (
    discriminator_loss,
    generator_loss,
    input_gradient,
    path_length_penalty,
    path_lengths,
    r1,
)

SMALL: dict[str, Any] = {"image_size": 16, "latent_size": 16, "num_latents": 4, "mapping_layers": 2, "width": 64}
FILES = Path(os.environ.get("DIVE_DATA", "/nonexistent")).parent / "fixtures"


def small(**options: Any) -> GANformer:
    torch.manual_seed(0)
    return GANformer(**(SMALL | {"max_channels": 8} | options))


@pytest.mark.parametrize("duplex", [False, True])
def test_every_parameter_of_both_networks_gets_a_gradient(duplex: bool) -> None:
    """The keys of duplex attention, which get none, do not exist."""
    net = small(duplex=duplex).train()
    net.discriminator(net(torch.randn(4, 5, 4))).square().sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert any("synthesis" in n and "to_keys" in n for n, _ in net.named_parameters()) != duplex


def test_the_paper_s_clevr_model_has_plain_convolutions_and_no_positions_that_nothing_reads() -> None:
    net = small(styled=False, mapping_attention=False)
    assert net.generator.pos is None and not [n for n, _ in net.named_parameters() if "affine" in n]
    z = torch.randn(2, 5, 4)
    other = torch.cat([z[:, :4], torch.randn(2, 1, 4)], 1)
    assert torch.equal(net.eval()(z), net(other))  # the global latent reaches nothing


def test_local_latents_and_the_global_one_change_the_image() -> None:
    net, z = small().eval(), torch.randn(1, 5, 4)
    for component in range(5):
        other = z.clone()
        other[:, component] += 1
        assert not torch.allclose(net(z), net(other))


def test_a_latent_size_that_the_number_of_latents_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="latent_size is 16, the sum over num_latents = 3 latents: give a multiple"):
        small(num_latents=3)


def test_attention_of_every_layer_sums_to_one_and_is_drawn() -> None:
    model = LitGANformer(**(SMALL | {"max_channels": 8})).eval()
    ws = model.sampler.styles(model.noise(3))  # type: ignore[operator]
    images, maps = model.attention_maps(ws)
    assert images.shape == (3, 3, 16, 16) and maps.shape == (3, 4, 5, 16, 16)
    torch.testing.assert_close(maps.sum(1), torch.ones(3, 5, 16, 16))
    found = list(model.generate(None, [], samples=3, attention=True, truncation=0.7, mixing=True))
    assert [output.name for output in found] == ["grid_0", "mixing_0", "attention_0"]
    assert found[2].image.size == (6 * 17 * 4 - 4, 3 * 17 * 4 - 4)


def test_a_foreign_checkpoint_is_refused_and_a_published_one_loads(tmp_path: Path) -> None:
    """By its tensors' names: what has no gradient there is left out, the averaged generator taken."""
    model = LitGANformer(**(SMALL | {"max_channels": 8}))
    theirs = {"discriminator": "D", "generator": "G"}
    found: dict[str, Tensor] = {}
    for name, value in model.net.state_dict().items():
        part, _, rest = name.partition(".")
        rest = rest.replace(".bias", ".biasAct.bias") if "conv1.bias" in rest else rest
        found[f"{theirs[part]}.{rest}"] = torch.randn_like(value)
        if part == "generator":
            found[f"G_ema.{rest}"] = torch.randn_like(value)
    found["G.synthesis.b8.conv1.transformer.to_keys.weight"] = torch.randn(8, 4)
    save_file(found, tmp_path / "published.safetensors")
    again = LitGANformer(
        **(SMALL | {"max_channels": 8, "ema_half_life": 10}), weights=f"{tmp_path}/published.safetensors"
    )
    again.take_weights()
    assert torch.equal(again.net.generator.pos, found["G_ema.pos"])  # type: ignore[arg-type,union-attr]
    assert torch.equal(again.ema.pos, found["G_ema.pos"])  # type: ignore[arg-type,union-attr]
    save_file({"features.weight": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    other = LitGANformer(**(SMALL | {"max_channels": 8}), weights=f"{tmp_path}/foreign.safetensors")
    with pytest.raises(UserError, match=r"lacks generator\..*: not a GANformer"):
        other.take_weights()


# -- the published code's numbers -------------------------------------------------------------------------------------


class Published:
    """A file of numbers: tensors in double precision and what is said about them."""

    def __init__(self, name: str) -> None:
        path = FILES / f"ganformer_{name}.safetensors"
        if not path.is_file():
            pytest.skip(f"no {path.name} beside DIVE_DATA")
        with safe_open(path, "pt") as file:
            self.said: dict[str, str] = file.metadata()
        self.tensors = {key: t.double() if t.is_floating_point() else t for key, t in load_file(path).items()}
        self.errors: dict[str, Any] = json.loads(self.said["float32_error"])

    def differs(self, key: str, ours: Tensor, error: list[float]) -> bool:
        """Whether it is farther from theirs, relative to the largest entry, than 1e-5 and their own rounding."""
        theirs = self.tensors[key]
        assert ours.shape == theirs.shape, (key, ours.shape)
        return not float((ours.detach() - theirs).abs().max()) <= max(1e-5 * float(theirs.abs().max()), 3 * max(error))


@pytest.mark.realdata
def test_the_published_attention_layer_is_ours() -> None:
    """40 cases: simplex and duplex, one and three iterations, heads, integrations, norms, masks, without positions; and
    all gradients. Left out: gates, and iterations of simplex attention, which are not ours.
    """
    file = Published("layer")
    wrong: list[str] = []
    cases: dict[str, Any] = json.loads(file.said["cases"])
    for case, about in cases.items():
        if case in ("simplex_gates_mul", "simplex_iters3_mul"):
            continue

        def part(of: str, case: str = case) -> dict[str, Tensor]:
            begin = f"{case}/{of}/"
            return {k.removeprefix(begin): v for k, v in file.tensors.items() if k.startswith(begin)}

        given, weights, k = part("in"), part("w"), about["kwargs"]
        layer = BipartiteAttention(
            k["dim"], k["to_dim"], k["to_len"], k["num_heads"], k["kmeans"], k.get("kmeans_iters", 1), k["integration"],
            k["norm"] or "none", grid="from_pos" in given, positions="to_pos" in given,
        ).double()  # fmt: skip
        own = layer.state_dict()
        assert set(weights) - set(own) == set(about["params_without_gradient"])
        layer.load_state_dict({name: weights[name] for name in own})
        x = given["from_tensor"].requires_grad_(True)
        among = "to_tensor" not in given
        latents = x.view(2, -1, x.shape[-1]) if among else given["to_tensor"].requires_grad_(True)
        grid, mask = given.get("from_pos"), given.get("att_mask")
        out, attention, assignment = layer(
            latents if among else x,
            latents,
            None if grid is None else grid.flatten(0, -2),
            given.get("to_pos"),
            None if mask is None else mask[:, 0],
        )
        (out.reshape(given["probe"].shape) * given["probe"]).sum().backward()
        shape = file.tensors[f"{case}/out/att"].shape
        found = {"out": out.reshape(given["probe"].shape), "grad/from_tensor": x.grad}
        found["att"] = attention if among else attention.transpose(-1, -2).reshape(shape)
        found |= {"assignments": assignment} if assignment is not None else {}
        found |= {} if among else {"grad/to_tensor": latents.grad}
        found |= {f"grad/{name}": p.grad for name, p in layer.named_parameters()}
        for name, ours in found.items():
            if name in ("grad/to_keys.bias", "grad/to_pos_map.bias"):  # exactly zero: the softmax ignores them
                assert float(ours.abs().max()) < 1e-10  # type: ignore[union-attr]
            elif file.differs(f"{case}/out/{name}", ours, file.errors[case][name][:1]):  # type: ignore[arg-type]
                wrong.append(f"{case} {name}")
    assert not wrong
    for side, size in ((4, 12), (8, 16), (8, 32)):
        assert torch.equal(sinusoidal_grid(side, size).double(), file.tensors[f"sinus/res{side}_dim{size}"])


def network_of(file: Published) -> GANformer:
    """Ours with the arguments and weights of a file; exactly the parameters that get no gradient there are left out."""
    g, d = (json.loads(file.said[f"{name}_kwargs"]) for name in ("generator", "discriminator"))
    of_mapping, of_synthesis, k = g["mapping_kwargs"], g["synthesis_kwargs"], g["k"] - 1
    net = GANformer(
        g["img_channels"],
        g["img_resolution"],
        k * g["z_dim"],
        k,
        mapping_residual=of_mapping.get("resnet", False),
        mapping_attention=of_mapping.get("ltnt2ltnt", False),
        width=of_synthesis["channel_base"],
        max_channels=of_synthesis["channel_max"],
        architecture=of_synthesis.get("architecture", "skip"),
        styled=of_synthesis["style"],
        duplex=of_synthesis.get("kmeans", False),
        iterations=of_synthesis["kmeans_iters"],
        integration=of_synthesis["integration"],
        norm=of_synthesis.get("norm") or "none",
        positions=of_synthesis.get("use_pos", False),
        num_heads=of_synthesis["num_heads"],
        group_size=d["epilogue_kwargs"]["mbstd_group_size"],
    )
    weights = {name: t for name, t in file.tensors.items() if name.startswith(("G.", "D."))}
    net.load_state_dict(net.from_published(weights))
    theirs = {n[2:] for n in weights if n.startswith("G.") and not n.endswith(("resample_kernel", "grid_pos"))}
    left_out = {n.replace("biasAct.", "") for n in theirs} - set(net.generator.state_dict())
    assert left_out == set(json.loads(file.said["params_without_gradient"]))
    return net.double().eval()


def gradients(loss: Tensor, module: nn.Module, names: list[str], begin: str) -> dict[str, Tensor]:
    """The gradients by the named parameters that the module has, under the published names."""
    own = dict(module.named_parameters())
    known = [name for name in names if name.replace("biasAct.", "") in own]
    found = torch.autograd.grad(
        loss,
        [own[n.replace("biasAct.", "")] for n in known],
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return {begin + name: g for name, g in zip(known, found, strict=True)}


@cache
def quantities(name: str) -> tuple[Published, dict[str, Tensor]]:
    """Everything of a file but the features of single blocks, from our network."""
    file = Published(name)
    net, t = network_of(file), file.tensors
    G, D, names = net.generator, net.discriminator, json.loads(file.said["gradient_names"])
    z, real, noise = t["in/z"].clone().requires_grad_(True), t["in/real_img"], t["in/pl_noise"]
    maps: list[Tensor] = []
    ws = G.styles(z)
    image = G.images(ws, maps=maps)
    enlarged = [F.interpolate(m.flatten(0, 1), (32, 32)).unflatten(0, m.shape[:2]) for m in maps]
    logits, of_real = D(image), D(real)
    found = {"ws": ws, "img_const": image, "d_logits_img_const": logits[:, None], "d_logits_real": of_real[:, None]}
    found["att_const"] = torch.stack(enlarged, 2).permute(0, 3, 2, 1, 4, 5)
    found["img_none"], found["img_ws_mixed_const"] = G.images(ws, "none"), G.images(t["in/ws_mixed"])
    for cutoff, end in ((None, ""), (4, "_cutoff4")):
        found[f"ws_psi07{end}"] = G.styles(z, 0.7, cutoff)
    found["img_psi07_const"], found["img_cutoff4_const"] = (
        G.images(found[f"ws_psi07{end}"]) for end in ("", "_cutoff4")
    )
    found["ws_mask"] = G.styles(z, mask=t["in/mask"])
    found["img_mask_const"] = G.images(found["ws_mask"], mask=t["in/mask"])
    found["r1_grads"] = input_gradient(D, real)
    found["r1_penalty"] = found["r1_grads"].square().sum((1, 2, 3))
    found["r1_loss"] = 5 * found["r1_penalty"]
    found["loss_D_main"] = (F.softplus(logits) + F.softplus(-of_real))[:, None]
    found["loss_G_main"] = F.softplus(-logits)[:, None]
    torch.testing.assert_close(discriminator_loss("non_saturating", of_real, logits), found["loss_D_main"].mean())
    torch.testing.assert_close(generator_loss("non_saturating", logits), found["loss_G_main"].mean())
    probed = (image * t["in/probe"]).sum()
    (found["grad/z"],) = torch.autograd.grad(probed, z, retain_graph=True)
    found |= gradients(probed, G, names["G"], "grad/G.")
    found |= gradients(found["loss_D_main"].mean(), D, names["D"], "grad_D_main/D.")
    found |= gradients(5 * r1(D, real), D, names["D"], "grad_r1/D.")
    (found["pl_grads"],) = torch.autograd.grad((image * noise / 32).sum(), ws, retain_graph=True)
    for upstream, key in ((True, "pl_lengths"), (False, "pl_lengths_stylegan2")):
        found[key] = path_lengths(image, ws, noise, upstream)
    first = G.styles(t["in/z"][:1])
    lengths = path_lengths(G.images(first), first, noise[:1], upstream=True)
    penalty, found["pl1_mean_after"] = path_length_penalty(lengths, t["in/pl_mean_before"])
    found["pl1_penalty"] = (lengths - found["pl1_mean_after"]).square()
    found |= gradients(2 * penalty, G, names["G_pl"], "grad_pl1/G.")
    mapping = G.mapping.train()
    for module in mapping.modules():
        module.dropout = 0.0  # type: ignore[assignment]
    mapping(t["in/z"], G.pos)
    found["w_avg_after"] = mapping.w_avg
    return file, {key: value.detach() for key, value in found.items()}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["duplex", "simplex", "simplex_add", "clevr"])
def test_the_published_networks_are_ours(name: str) -> None:
    """Mapping, images, attention, logits, losses, R1, path length, and gradients of first and second order."""
    file, found = quantities(name)
    zero = [f"out/{key}" for key, value in found.items() if not bool(value.any())]
    assert all(not bool(file.tensors[key].any()) for key in zero)
    wrong = [key for key, ours in found.items() if file.differs(f"out/{key}", ours, file.errors[key][:1])]
    assert not wrong
    left = {key for key in file.tensors if key.startswith("out/") and key.removeprefix("out/") not in found}
    unread = {key for key in left if not key.startswith(("out/act/", "out/pl2"))}
    assert all(
        key.startswith(("out/grad/G.", "out/grad_pl1/G.")) and not bool(file.tensors[key].any()) for key in unread
    )


@pytest.mark.realdata
def test_one_per_cent_on_one_weight_is_seen() -> None:
    file, _ = quantities("duplex")
    net = network_of(file)
    for name in ("b16.conv1.transformer.modulation.weight", "b8.conv0.affine.weight", "b4.conv1.transformer.centroids"):
        p = net.generator.synthesis.get_parameter(name)
        p.data *= 1.01
        image = net(file.tensors["in/z"])
        assert file.differs("out/img_const", image, file.errors["img_const"][:1])
        p.data /= 1.01
