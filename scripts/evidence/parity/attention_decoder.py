"""GPT's decoder of one token at a time (``gpt_decoder.py``) against transformers, which reads the whole text at once.

In double precision, which takes the plain dense layers, and in single precision, which takes the packed ones, those of
one row and those of several. The text is given, not generated, so that one wrong number cannot change later tokens.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lit_models.attention.gpt_decoder import GPTDecoder
from scripts.evidence.parity.attention_gpt import CONTEXT, ROTARY, V, hugging_face, ours
from scripts.evidence.verify import Check, Tensors

PROMPT, LENGTH = 4, 14
ROWS = {"three rows": 3, "one row": 1}


def text() -> Tensor:
    torch.manual_seed(5)
    return torch.randint(4, V, (3, LENGTH))


def stepped(variant: str, dtype: torch.dtype) -> Tensors:
    """Logits (B, T, V) of a prompt at once and of what follows it, token by token."""
    net = ours(variant).to(dtype)
    assert LENGTH <= CONTEXT
    found = {}
    for name, rows in ROWS.items():
        decoder: Any = GPTDecoder(net)
        with torch.no_grad():
            logits, state = decoder.decode(text()[:rows, :PROMPT], None)
            steps = [logits]
            for t in range(PROMPT, LENGTH):
                logits, state = decoder.decode(text()[:rows, t : t + 1], state)
                steps.append(logits)
        found[name] = torch.cat(steps, 1).double()
    return found


def plain(variant: str) -> Tensors:
    """The network itself, which reads the whole text at once."""
    with torch.no_grad():
        return {name: ours(variant)(text()[:rows]) for name, rows in ROWS.items()}


def theirs(variant: str, gap: int = 0) -> Tensors:
    """Or wrong: the positions after the prompt are too large by ``gap``."""
    net = hugging_face(variant)
    place = torch.arange(LENGTH)
    positions = place + gap * (place >= PROMPT)
    with torch.no_grad():
        logits = net(text(), position_ids=positions.expand(3, -1)).logits
    return {name: logits[:rows].double() for name, rows in ROWS.items()}


def check(variant: str, suffix: str, claim: str, dtype: torch.dtype, tolerance: float, why: str) -> Check:
    return Check(
        name=f"attention/{variant}_decoder{suffix}",
        claim=claim,
        package="transformers",
        without="gradients: the decoder has none",
        ours=partial(stepped, variant, dtype),
        reference=partial(theirs, variant),
        control=partial(theirs, variant, gap=1),
        mistake="positions off by one after the prompt",
        tolerance=tolerance,
        why=why,
    )


CHECKS = [
    check("gpt2", "", "GPT-2's decoder token by token against GPT2LMHeadModel at once", torch.float64, 1e-10, ""),
    check("llama", "", "Llama's decoder token by token against LlamaForCausalLM at once", torch.float64, 1e-5, ROTARY),
    *(
        check(
            variant,
            "_packed",
            f"the decoder of variant {variant} in single precision, its dense layers packed, against transformers",
            torch.float32,
            1e-4,
            "the decoder runs in single precision",
        )
        for variant in ("gpt2", "llama")
    ),
    *(
        Check(
            name=f"attention/{variant}_decoder_plain",
            claim=f"the decoder of variant {variant} token by token against the network that reads all at once",
            package="torch",
            without="gradients: the decoder has none",
            ours=partial(stepped, variant, torch.float64),
            reference=partial(plain, variant),
            control=partial(theirs, variant, gap=1),
            mistake="positions off by one after the prompt",
        )
        for variant in ("gpt2", "llama")
    ),
]
