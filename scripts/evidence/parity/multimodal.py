"""CLIP, masked autoencoder and Perceiver against transformers: vectors, predictions, losses, gradients."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.functional.contrastive import contrastive_loss
from lit_models.multimodal.clip import CLIP
from lit_models.multimodal.mae import MAE, masked_loss, masks
from lit_models.multimodal.perceiver import Perceiver
from scripts.evidence.verify import Check, Tensors


def randomized(net: Any, std: float = 0.3) -> Any:
    """Random values for all parameters, biases and gains too, in double precision."""
    torch.manual_seed(2)
    for parameter in net.double().parameters():
        nn.init.normal_(parameter, std=std)
    return net


def images(size: int = 8, channels: int = 1) -> Tensor:
    torch.manual_seed(1)
    return torch.rand(3, channels, size, size, dtype=torch.float64, requires_grad=True)


def split_qkv(tensor: Tensor, prefix: str, kind: str, names: tuple[str, str, str]) -> dict[str, Tensor]:
    """Our one matrix of queries, keys and values as transformers' three."""
    return {f"{prefix}{name}.{kind}": part for name, part in zip(names, tensor.chunk(3), strict=True)}


# -- CLIP -------------------------------------------------------------------------------------------------------------

TEXTS = torch.tensor([[1, 5, 4, 9, 0, 0], [1, 3, 9, 0, 0, 0], [1, 7, 7, 6, 5, 9]])  # 9 ends a text
CLIP_NAMES = {  # ours and transformers'
    "patches.weight": "vision_model.embeddings.patch_embedding.weight",
    "class_token": "vision_model.embeddings.class_embedding",
    "image_positions.weight": "vision_model.embeddings.position_embedding.weight",
    "image_first_norm": "vision_model.pre_layrnorm",
    "image_norm": "vision_model.post_layernorm",
    "image_layers": "vision_model.encoder.layers",
    "image_projection": "visual_projection",
    "tokens.weight": "text_model.embeddings.token_embedding.weight",
    "text_positions.weight": "text_model.embeddings.position_embedding.weight",
    "text_layers": "text_model.encoder.layers",
    "text_norm": "text_model.final_layer_norm",
    "log_scale": "logit_scale",
    "attention.output": "self_attn.out_proj",
    "attention_norm": "layer_norm1",
    "feed_forward_norm": "layer_norm2",
    "feed_forward.inner": "mlp.fc1",
    "feed_forward.outer": "mlp.fc2",
}


def clip_state(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors under transformers' names, in their shapes."""
    found: dict[str, Tensor] = {}
    for key, value in tensors.items():
        name = key
        for ours, theirs in CLIP_NAMES.items():
            name = name.replace(ours, theirs)
        if "attention.qkv." in name:
            prefix, kind = name.split("attention.qkv.")
            found |= split_qkv(value, prefix + "self_attn.", kind, ("q_proj", "k_proj", "v_proj"))
        else:
            found[name] = value[0] if "position" in name else value.reshape(-1) if "class_emb" in name else value
    return found | {"logit_scale": found["logit_scale"].reshape(())}


def our_clip() -> CLIP:
    return randomized(CLIP(1, 8, 4, 11, 6, 8, 2, 2, 6, end_id=9, activation="quick_gelu"))


def our_pairs() -> Tensors:
    net, x = our_clip(), images()
    image, text, scale = net(x, TEXTS)
    loss = contrastive_loss(image, text, scale)
    loss.backward()
    gradients = clip_state({name: p.grad for name, p in net.named_parameters() if p.grad is not None})
    found: Any = {"logits": scale * image @ text.T, "loss": loss[None], "grad images": x.grad}
    return found | {f"grad {name}": g for name, g in gradients.items()}


def their_pairs(both: bool = True) -> Tensors:
    from transformers import CLIPConfig, CLIPModel

    sizes: dict[str, Any] = {"hidden_size": 8, "intermediate_size": 32, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2, "projection_dim": 6}
    text = {"vocab_size": 11, "max_position_embeddings": 6, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 9}
    config = CLIPConfig(
        text_config=sizes | text,
        vision_config=sizes | {"image_size": 8, "patch_size": 4, "num_channels": 1},
        projection_dim=6,
    )
    net, x = CLIPModel(config).double().eval(), images()
    net.load_state_dict(clip_state(our_clip().state_dict()))
    out = net(input_ids=TEXTS, pixel_values=x, return_loss=True)
    loss = out.loss if both else F.cross_entropy(out.logits_per_image, torch.arange(3))
    loss.backward()
    found: Any = {"logits": out.logits_per_image, "loss": loss[None], "grad images": x.grad}
    return found | {f"grad {name}": p.grad for name, p in net.named_parameters()}


# -- masked autoencoder -----------------------------------------------------------------------------------------------

MAE_NAMES = {  # ours and transformers', in this order
    "decoder.embed": "decoder.decoder_embed",
    "decoder.positions.weight": "decoder.decoder_pos_embed",
    "decoder.layers": "decoder.decoder_layers",
    "decoder.norm": "decoder.decoder_norm",
    "decoder.pixels": "decoder.decoder_pred",
    "attention.output": "attention.o_proj",
    "feed_forward_norm": "layernorm_after",
    "attention_norm": "layernorm_before",
    "feed_forward.inner": "mlp.fc1",
    "feed_forward.outer": "mlp.fc2",
}
MAE_ENCODER = {
    "patches": "vit.embeddings.patch_embeddings.projection",
    "class_token": "vit.embeddings.cls_token",
    "positions.weight": "vit.embeddings.position_embeddings",
    "norm": "vit.layernorm",
    "layers": "vit.layers",
}


def mae_state(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors under transformers' names."""
    found: dict[str, Tensor] = {}
    for key, value in tensors.items():
        name = key
        for ours, theirs in MAE_NAMES.items():
            name = name.replace(ours, theirs)
        for ours, theirs in MAE_ENCODER.items():
            if name.startswith(ours):
                name = theirs + name.removeprefix(ours)
                break
        if "attention.qkv." in name:
            prefix, kind = name.split("attention.qkv.")
            found |= split_qkv(value, prefix + "attention.", kind, ("q_proj", "k_proj", "v_proj"))
        else:
            found[name] = value
    return found


def our_mae() -> MAE:
    return randomized(MAE(3, 12, 4, 8, 2, 2, 12, decoder_size=8, decoder_layers=1, decoder_heads=2))


def hidden_patches() -> Tensor:
    return masks(3, 9, 0.6, torch.Generator().manual_seed(3))


def our_filled() -> Tensors:
    net, x, hidden = our_mae(), images(12, 3), hidden_patches()
    predicted = net(x, hidden)
    loss = masked_loss(predicted, net.pixels(x), hidden, norm_pixels=True)
    loss.backward()
    gradients = mae_state({name: p.grad for name, p in net.named_parameters() if p.grad is not None})
    gradients = {name: g for name, g in gradients.items() if "pos" not in name}  # transformers' positions are fixed
    found: Any = {"pixels": predicted, "loss": loss[None], "grad images": x.grad}
    return found | {f"grad {name}": g for name, g in gradients.items()}


def their_filled(normalized: bool = True) -> Tensors:
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    sizes: dict[str, Any] = {
        "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "image_size": 12,
        "patch_size": 4, "num_channels": 3, "decoder_num_attention_heads": 2, "decoder_hidden_size": 8,
        "decoder_num_hidden_layers": 1, "decoder_intermediate_size": 32, "mask_ratio": 0.6, "norm_pix_loss": normalized,
        "layer_norm_eps": 1e-6,
    }  # fmt: skip
    net, x, hidden = ViTMAEForPreTraining(ViTMAEConfig(**sizes)).double().eval(), images(12, 3), hidden_patches()
    net.load_state_dict(mae_state(our_mae().state_dict()))
    noise = hidden.double() + torch.arange(9) / 100  # the visible ones first, in their order
    out = net(x, noise=noise)
    out.loss.backward()
    found: Any = {"pixels": out.logits, "loss": out.loss[None], "grad images": x.grad}
    return found | {
        f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None and "pos" not in name
    }


# -- Perceiver --------------------------------------------------------------------------------------------------------

PERCEIVER_NAMES = {
    "latent_norm": "attention.self.layernorm1",
    "input_norm": "attention.self.layernorm2",
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "norm": "layernorm",
    "dense1": "mlp.dense1",
    "dense2": "mlp.dense2",
}


def perceiver_state(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors under transformers' names, without the head."""
    found = {"embeddings.latents": tensors["latents"]}
    for key, value in tensors.items():
        part, _, rest = key.rpartition(".")
        layer, _, name = part.rpartition(".")
        if name in PERCEIVER_NAMES:
            theirs = "cross_attention" if layer == "read" else layer.replace("layers", "self_attends")
            found[f"encoder.{theirs}.{PERCEIVER_NAMES[name]}.{rest}"] = value
    return found


def our_perceiver() -> Perceiver:
    return randomized(Perceiver(2, 3, 6, 4, 8, 2, 2, bands=3)).double()


def our_latents() -> Tensors:
    net, x = our_perceiver(), images(6, 2)
    net.positions = net.positions.double()
    latents = net.features(x)
    latents.sin().sum().backward()
    gradients = perceiver_state({name: p.grad for name, p in net.named_parameters() if p.grad is not None})
    found: Any = {"latents": latents, "grad images": x.grad}
    return found | {f"grad {name}": g for name, g in gradients.items()}


def their_latents(blocks: int = 1) -> Tensors:
    from transformers import PerceiverConfig, PerceiverModel
    from transformers.models.perceiver.modeling_perceiver import PerceiverFourierPositionEncoding

    x = images(6, 2)
    places = PerceiverFourierPositionEncoding(3, (6, 6), concat_pos=True, sine_only=False)
    table = places(index_dims=(6, 6), batch_size=3, device=torch.device("cpu"), dtype=torch.float32).double()
    inputs = torch.cat([x.flatten(2).transpose(1, 2), table], 2)
    sizes: dict[str, Any] = {"num_latents": 4, "d_latents": 8, "d_model": inputs.shape[2], "num_blocks": blocks}
    sizes |= {"num_self_attends_per_block": 2, "num_self_attention_heads": 2, "num_cross_attention_heads": 1}
    net = PerceiverModel(PerceiverConfig(**sizes)).double().eval()
    net.load_state_dict(perceiver_state(our_perceiver().state_dict()))
    mask = torch.ones(inputs.shape[:2], dtype=torch.float64)
    latents = net(inputs, attention_mask=mask).last_hidden_state
    latents.sin().sum().backward()
    found: Any = {"latents": latents, "grad images": x.grad}
    return found | {f"grad {name}": p.grad for name, p in net.named_parameters()}


CHECKS = [
    Check(
        name="multimodal/clip",
        claim="CLIP's cosines, loss and gradients against transformers' CLIPModel, weights by its names",
        package="transformers",
        ours=our_pairs,
        reference=their_pairs,
        control=partial(their_pairs, both=False),
        mistake="the loss in one direction only",
    ),
    Check(
        name="multimodal/mae",
        claim="Masked autoencoder: pixels, loss and gradients against transformers' ViTMAEForPreTraining",
        package="transformers",
        ours=our_filled,
        reference=their_filled,
        control=partial(their_filled, normalized=False),
        mistake="the pixels to predict not normalized by patch",
    ),
    Check(
        name="multimodal/perceiver",
        claim="Perceiver: Fourier positions and latents against transformers' PerceiverModel, weights by its names",
        package="transformers",
        ours=our_latents,
        reference=their_latents,
        control=partial(their_latents, blocks=2),
        mistake="the latents' own layers applied twice",
        tolerance=1e-5,
        why="transformers' positions are in single precision",
    ),
]
