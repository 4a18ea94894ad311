"""Published translators against transformers: logits, gradients, greedy and beam outputs of tiny random networks."""

from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.translation.bart import Bart
from lit_models.translation.pretrained import LitPretrained
from lit_models.translation.published import bart_sizes, t5_sizes
from lit_models.translation.t5 import T5
from scripts.evidence.verify import Check, Tensors

V, LENGTH, LANGUAGE, MOST, BEAMS, ALPHA = 23, 9, 5, 8, 4, 0.75
SINGLE = "scores of outputs are in single precision; transformers' tables of positions and T5's normalization too"
SIZES: dict[str, Any] = {
    **{"vocab_size": V, "d_model": 16, "encoder_layers": 2, "decoder_layers": 1, "max_position_embeddings": 40},
    **{"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24},
}
FAIRSEQ = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
CLASSES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "marian": (
        "MarianMTModel",
        "MarianConfig",
        {**SIZES, "pad_token_id": 22, "eos_token_id": 0, "decoder_start_token_id": 22, "scale_embedding": True},
    ),
    "m2m_100": ("M2M100ForConditionalGeneration", "M2M100Config", {**SIZES, **FAIRSEQ, "scale_embedding": True}),
    "mbart": ("MBartForConditionalGeneration", "MBartConfig", {**SIZES, **FAIRSEQ}),
    "t5": (
        "T5ForConditionalGeneration",
        "T5Config",
        {
            **{"vocab_size": V, "d_model": 16, "d_kv": 6, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 1},
            **{"num_heads": 4, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 7},
            **{"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
        },
    ),
}
#: T5's gated form with a matrix of its own for the output.
CLASSES["t5_gated"] = (
    *CLASSES["t5"][:2],
    CLASSES["t5"][2] | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
)
FORCED = ("m2m_100", "mbart")  # the language of the output is its first token


def hugging_face(variant: str) -> Any:
    """The network of transformers, all of whose parameters are drawn."""
    import transformers

    network, config, settings = CLASSES[variant]
    torch.manual_seed(3)
    net = getattr(transformers, network)(getattr(transformers, config)(**settings)).double().eval()
    if variant == "t5_gated":
        net.lm_head.weight = nn.Parameter(torch.empty_like(net.lm_head.weight))
    for parameter in net.parameters():
        if parameter.requires_grad:  # Marian's positions are a parameter too
            nn.init.normal_(parameter, std=0.3)
    if hasattr(net, "final_logits_bias"):
        net.final_logits_bias.normal_()
    return net


@cache
def batch(variant: str) -> tuple[Tensor, Tensor, Tensor]:
    """Sources, their lengths, and targets; of tokens that are not special."""
    torch.manual_seed(1)
    return torch.randint(3, 22, (3, LENGTH)), torch.tensor([LENGTH, 6, 2]), torch.randint(3, 22, (3, 11))


def ours(variant: str) -> Tensors:
    theirs = hugging_face(variant)
    config, net = theirs.config, network_for(theirs)
    net.load_state_dict(net.from_published(dict(theirs.state_dict())))
    model = LitPretrained(
        source_vocab_size=V,
        target_vocab_size=V,
        net=net,
        pad_id=config.pad_token_id,
        eos_id=config.eos_token_id,
        bos_id=config.decoder_start_token_id,
        forced_bos_id=LANGUAGE if variant in FORCED else -1,
        length_penalty=ALPHA,
        max_length=MOST,
    )
    source, length, target = batch(variant)
    logits = net(source, length, target)
    loss(logits, target).backward()
    found = {"logits": logits} | {f"grad {name}": p.grad for name, p in net.named_parameters()}
    found["greedy"] = padded(model.generate_tokens(source, length).tolist(), config.pad_token_id)
    best = model.hypotheses(source, length, BEAMS)
    found["beam"] = padded([row[0].tokens for row in best], config.pad_token_id)
    return found | {"score": torch.tensor([row[0].score for row in best], dtype=torch.float64)}


def network_for(theirs: Any) -> Any:
    """Our network of the sizes of a network of transformers."""
    config, tensors = theirs.config.to_dict(), dict(theirs.state_dict())
    if "d_kv" in config:
        sizes = t5_sizes(tensors, config)
        sizes.pop("variant")
        return T5(**sizes, dropout=0.0).double().eval()
    return Bart(**bart_sizes(config), dropout=0.0).double().eval()


def loss(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.roll(-1, 1).flatten())


def padded(rows: list[list[int]], pad_id: int) -> Tensor:
    """Outputs as (B, MOST) float64."""
    return torch.tensor([row + [pad_id] * (MOST - len(row)) for row in rows], dtype=torch.float64)


def reference(variant: str, wrong: bool = False) -> Tensors:
    """Or wrong, as ``MISTAKES`` says."""
    net = hugging_face(variant)
    if wrong:
        spoil(variant, net)
    source, length, target = batch(variant)
    mask = (torch.arange(LENGTH) < length[:, None]).long()
    logits = net(input_ids=source, attention_mask=mask, decoder_input_ids=target).logits
    loss(logits, target).backward()
    grads = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    config, like = net.config, network_for(net)
    names = like.from_published(grads)
    found = {"logits": logits} | {f"grad {name}": names[name] for name, _ in like.named_parameters()}
    start, pad, end = config.decoder_start_token_id, config.pad_token_id, config.eos_token_id
    settings: dict[str, Any] = {
        **{"input_ids": source, "attention_mask": mask, "do_sample": False, "max_new_tokens": MOST},
        **{"suppress_tokens": sorted({start, pad} - {end}), "forced_eos_token_id": None},
        **{"forced_bos_token_id": LANGUAGE if variant in FORCED else None, "renormalize_logits": True},
        **{"return_dict_in_generate": True, "output_scores": True},
    }
    greedy = net.generate(**settings, num_beams=1)
    beam = net.generate(**settings, num_beams=BEAMS, early_stopping=True, length_penalty=ALPHA)
    for name, output in (("greedy", greedy), ("beam", beam)):
        rows = output.sequences[:, 1:].tolist()
        found[name] = padded([row[: row.index(end) + 1] if end in row else row for row in rows], pad)
    return found | {"score": beam.sequences_scores.double()}


MISTAKES = {
    "marian": "the bias of the logits left out",
    "m2m_100": "the positions begin at 0",
    "mbart": "the learned positions begin two rows too early",
    "t5": "scores divided by sqrt(d)",
    "t5_gated": "the gate and what it gates exchanged",
}


def spoil(variant: str, net: Any) -> None:
    with torch.no_grad():
        if variant == "marian":
            net.final_logits_bias.zero_()
        elif variant == "m2m_100":
            for side in (net.model.encoder, net.model.decoder):
                table = side.embed_positions.weights
                table.copy_(table.roll(2, 0))
        elif variant == "mbart":
            for side in (net.model.encoder, net.model.decoder):
                side.embed_positions.weight.copy_(side.embed_positions.weight.roll(2, 0))
        elif variant == "t5":
            for name, parameter in net.named_parameters():
                if name.endswith(".q.weight"):
                    parameter.mul_(net.config.d_kv**-0.5)
        else:
            for name, parameter in net.named_parameters():
                if name.endswith("wi_0.weight"):
                    other = net.get_parameter(name.replace("wi_0", "wi_1"))
                    first = parameter.clone()
                    parameter.copy_(other)
                    other.copy_(first)


def check(variant: str) -> Check:
    name = CLASSES[variant][0]
    gated = ", gated, with an output matrix of its own" if variant == "t5_gated" else ""
    return Check(
        name=f"translation/{variant}",
        claim=f"{name}{gated}: logits, gradients, greedy and beam outputs with their scores, by its weights",
        package="transformers",
        ours=partial(ours, variant),
        reference=partial(reference, variant),
        control=partial(reference, variant, wrong=True),
        mistake=MISTAKES[variant],
        tolerance=1e-5,
        why=SINGLE,
    )


CHECKS = [check(variant) for variant in CLASSES]
