"""Both variants of GPT against transformers: logits, gradients, and generation, greedily and by beam search."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.attention.gpt import GPT
from lit_models.attention.gpt_weights import convert
from lit_models.functional.beam import Hypothesis, beam_search
from lit_models.functional.decoding import generate
from scripts.evidence.verify import Check, Tensors

V, D, LAYERS, HEADS, CONTEXT, NEW = 29, 24, 2, 4, 24, 8
EOS = 3
ROTARY = "transformers computes the angles of rotary positions in single precision"


def tokens() -> Tensor:
    torch.manual_seed(1)
    return torch.randint(4, V, (3, 9))


def hugging_face(variant: str) -> Any:
    """A model of random weights, wide enough that no two tokens are nearly equally probable."""
    import transformers

    transformers.logging.set_verbosity_error()
    net: Any
    sizes: dict[str, Any] = {"vocab_size": V, "bos_token_id": 1, "eos_token_id": EOS, "pad_token_id": 0}
    torch.manual_seed(2)
    if variant == "gpt2":
        config = transformers.GPT2Config(n_positions=CONTEXT, n_embd=D, n_layer=LAYERS, n_head=HEADS, **sizes)
        net = transformers.GPT2LMHeadModel(config)
    else:
        modern = transformers.LlamaConfig(
            hidden_size=D,
            intermediate_size=40,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=2,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=False,
            **sizes,
        )
        net = transformers.LlamaForCausalLM(modern)
    for parameter in net.parameters():
        nn.init.normal_(parameter, mean=1.0 if parameter.ndim == 1 and variant == "llama" else 0.0, std=0.3)
    return net.double().eval()


def ours(variant: str) -> GPT:
    modern: dict[str, Any] = {"num_kv_heads": 2, "ffn_size": 40, "variant": "llama", "tied": False}
    torch.set_default_dtype(torch.float64)  # the tables of positions are made in it
    net = GPT(V, CONTEXT, D, LAYERS, HEADS, **(modern if variant == "llama" else {})).eval()
    torch.set_default_dtype(torch.float32)
    net.load_state_dict(convert(net, hugging_face(variant).state_dict()))
    return net


def quantities(logits: Tensor, weights: dict[str, Tensor]) -> Tensors:
    F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens()[:, 1:].flatten()).backward()
    found: Any = {"logits": logits}
    return found | {f"grad {name}": weight.grad for name, weight in weights.items()}


def our_logits(variant: str) -> Tensors:
    net = ours(variant)
    layer: Any = net.layers[1]
    logits = net(tokens())
    weights = {"embedding": net.embedding.weight, "norm": net.norm.weight, "output": layer.attention.output.weight}
    return quantities(logits, weights)  # type: ignore[arg-type]


def their_logits(variant: str, break_it: Callable[[Any], None] | None = None) -> Tensors:
    net = hugging_face(variant)
    if break_it:
        break_it(net)
    logits = net(tokens()).logits
    if variant == "gpt2":
        body, output = net.transformer, net.transformer.h[1].attn.c_proj.weight
        found = quantities(logits, {"embedding": body.wte.weight, "norm": body.ln_f.weight, "output": output})
        return found | {"grad output": found["grad output"].T}
    output = net.model.layers[1].self_attn.o_proj.weight
    weights = {"embedding": net.model.embed_tokens.weight, "norm": net.model.norm.weight, "output": output}
    return quantities(logits, weights)


def exact_gelu(net: Any) -> None:
    for block in net.transformer.h:
        block.mlp.act = nn.GELU()


def heads_tiled(net: Any) -> None:
    """Query head i shares keys with i modulo the groups, instead of with its neighbors."""
    order = torch.tensor([0, 2, 1, 3])  # of the four query heads
    for layer in net.model.layers:
        attention = layer.self_attn
        q, o = attention.q_proj.weight.data, attention.o_proj.weight.data
        q.copy_(q.view(HEADS, -1, D)[order].reshape(q.shape))
        o.copy_(o.view(D, HEADS, -1)[:, order].reshape(o.shape))


# -- generation ------------------------------------------------------------------------------------------------------


def upto_end(row: list[int]) -> list[int]:
    return row[: row.index(EOS) + 1] if EOS in row else row


def as_numbers(rows: list[list[int]]) -> Tensor:
    """Generated tokens (B, NEW), -1 after the end."""
    table = torch.full((len(rows), NEW), -1.0, dtype=torch.float64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = torch.tensor(row, dtype=torch.float64)
    return table


def greedy(rows: list[list[int]], seen: Sequence[Tensor]) -> Tensors:
    """The generated tokens, and the logits (B, NEW, V) that chose them; zeros after the end."""
    logits = torch.zeros(len(rows), NEW, V, dtype=torch.float64)
    for i, row in enumerate(rows):
        logits[i, : len(row)] = torch.stack([scores[i] for scores in seen[: len(row)]]).double()
    return {"tokens": as_numbers(rows), "logits": logits}


def our_writing(variant: str, beams: int, length_penalty: float = 1.0, lost: bool = False) -> Tensors:
    """``lost`` is the book's error: each new token has position 0."""
    net, prompt, seen = ours(variant), tokens(), []
    with torch.no_grad():
        _, state = net.decode(prompt[:, :-1], None)
        if lost:
            net.positions.weight[:] = net.positions.weight[:, :1].clone()  # type: ignore[union-attr]

    def step(last: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = net.decode(last[:, None], state)
        seen.append(logits[:, -1])
        return logits[:, -1].log_softmax(-1), state

    if beams == 1:
        rows = generate(step, prompt[:, -1], state, NEW, stop=[EOS]).tolist()
        return greedy([upto_end(row) for row in rows], seen)
    found = beam_search(step, prompt[:, -1], state, beams, NEW, EOS, length_penalty)
    scores = torch.tensor([best[0].score for best in found], dtype=torch.float64)
    return {"tokens": as_numbers([best[0].tokens for best in found]), "scores": scores}


def their_writing(variant: str, beams: int) -> Tensors:
    prompt, net = tokens(), hugging_face(variant)
    settings: dict[str, Any] = {"max_new_tokens": NEW, "do_sample": False, "num_beams": beams}
    if beams > 1:
        settings |= {"early_stopping": True, "length_penalty": 1.0}
    wanted: dict[str, Any] = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
    out = net.generate(prompt, attention_mask=torch.ones_like(prompt), **wanted, **settings)
    rows = [upto_end(row) for row in out.sequences[:, prompt.shape[1] :].tolist()]
    if beams == 1:
        return greedy(rows, out.logits)
    return {"tokens": as_numbers(rows), "scores": out.sequences_scores.double()}


def their_shifted_writing(variant: str) -> Tensors:
    """Greedy, each time with the whole text, but the positions after the prompt are too large by one."""
    text, net, seen = tokens(), hugging_face(variant), []
    for _ in range(NEW):
        place = torch.arange(text.shape[1])
        with torch.no_grad():
            logits = net(text, position_ids=(place + (place >= tokens().shape[1])).expand(len(text), -1)).logits
        seen.append(logits[:, -1])
        text = torch.cat([text, seen[-1].argmax(1, keepdim=True)], 1)
    return greedy([upto_end(row) for row in text[:, tokens().shape[1] :].tolist()], seen)


# -- beams at the limit of their length -------------------------------------------------------------------------------

LIMIT, BEAMS, PROMPTS, EOS_LEAD = 3, 4, 64, 0.2  # the end is made likely enough to come at any length


def likely_end(scores: Tensor) -> Tensor:
    """Scores (B, V) with those of the end of sequence raised."""
    scores = scores.clone()
    scores[:, EOS] += EOS_LEAD
    return scores


def short_prompts() -> Tensor:
    torch.manual_seed(3)
    return torch.randint(4, V, (PROMPTS, 4))


def our_beams(keep: Callable[[list[Hypothesis]], list[Hypothesis]] = list) -> Tensors:
    """All hypotheses of each prompt, and their scores. ``keep`` is called with those of each row."""
    net, prompt = ours("gpt2"), short_prompts()
    with torch.no_grad():
        _, state = net.decode(prompt[:, :-1], None)

    def step(last: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = net.decode(last[:, None], state)
        return likely_end(logits[:, -1].log_softmax(-1)), state

    rows = beam_search(step, prompt[:, -1], state, BEAMS, LIMIT, EOS, 1.0, BEAMS)
    found = [keep(row) for row in rows]
    scores = torch.full((PROMPTS, BEAMS), -1.0, dtype=torch.float64)
    for i, row in enumerate(found):
        scores[i, : len(row)] = torch.tensor([h.score for h in row], dtype=torch.float64)
    tokens = [row[i].tokens if i < len(row) else [] for row in found for i in range(BEAMS)]
    return {"tokens": as_numbers(tokens), "scores": scores}


def their_beams() -> Tensors:
    from transformers import LogitsProcessorList

    prompt, net = short_prompts(), hugging_face("gpt2")
    settings: dict[str, Any] = {"max_new_tokens": LIMIT, "num_beams": BEAMS, "num_return_sequences": BEAMS}
    settings |= {"do_sample": False, "early_stopping": True, "length_penalty": 1.0}
    lead = LogitsProcessorList([lambda _, scores: likely_end(scores)])
    wanted = {"return_dict_in_generate": True, "output_scores": True, "logits_processor": lead}
    out = net.generate(prompt, attention_mask=torch.ones_like(prompt), **wanted, **settings)
    found = as_numbers([upto_end(row) for row in out.sequences[:, prompt.shape[1] :].tolist()])
    return {"tokens": found, "scores": out.sequences_scores.double().reshape(PROMPTS, BEAMS)}


def ended_alone(row: list[Hypothesis]) -> list[Hypothesis]:
    """Unfinished hypotheses are dropped if any is finished."""
    return [h for h in row if h.tokens[-1] == EOS] or row


CHECKS = [
    Check(
        name="attention/gpt2",
        claim="GPT with Hugging Face's weights against GPT2LMHeadModel",
        package="transformers",
        ours=partial(our_logits, "gpt2"),
        reference=partial(their_logits, "gpt2"),
        control=partial(their_logits, "gpt2", exact_gelu),
        mistake="the exact GELU instead of GPT-2's approximation",
    ),
    Check(
        name="attention/llama",
        claim="GPT of variant llama, grouped queries, with Hugging Face's weights against LlamaForCausalLM",
        package="transformers",
        ours=partial(our_logits, "llama"),
        reference=partial(their_logits, "llama"),
        control=partial(their_logits, "llama", heads_tiled),
        mistake="the heads of keys tiled instead of repeated",
        tolerance=1e-5,
        why=ROTARY,
    ),
    *(
        Check(
            name=f"attention/{variant}_greedy",
            without="gradients: tokens have none",
            claim=f"What {variant} writes with our cache against transformers' generate, greedily",
            package="transformers",
            ours=partial(our_writing, variant, 1),
            reference=partial(their_writing, variant, 1),
            control=control,
            mistake=mistake,
            tolerance=1e-5,
            why="transformers hands out its logits in single precision",
        )
        for variant, control, mistake in (
            ("gpt2", partial(our_writing, "gpt2", 1, lost=True), "position 0 for each new token, as in the book"),
            ("llama", partial(their_shifted_writing, "llama"), "positions off by one after the prompt"),
        )
    ),
    Check(
        name="attention/gpt2_beam",
        without="gradients: tokens have none",
        claim="What beam search of width 4 writes, and its scores, against transformers' generate(num_beams=4)",
        package="transformers",
        ours=partial(our_writing, "gpt2", 4),
        reference=partial(their_writing, "gpt2", 4),
        control=partial(our_writing, "gpt2", 4, length_penalty=0.0),
        mistake="scores not divided by the length",
        tolerance=1e-6,
        why="transformers adds up the scores of beams in single precision",
    ),
    Check(
        name="attention/gpt2_beam_limit",
        without="gradients: tokens have none",
        claim="All four hypotheses to 64 prompts, ended or cut off at the limit, against transformers' generate",
        package="transformers",
        ours=our_beams,
        reference=their_beams,
        control=partial(our_beams, ended_alone),
        mistake="unfinished outputs are dropped at the limit beside finished ones",
        tolerance=1e-6,
        why="transformers adds up the scores of beams in single precision",
    ),
]
