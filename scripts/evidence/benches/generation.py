"""Generation with GPT: ours against ``transformers.generate`` on the same weights and prompts, with the same text.

6 layers of 256 with 4 heads, random weights, a vocabulary of 1,000 as in the recipe attention/gpt. A turn generates
all tokens: no stop tokens.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.attention.gpt import GPT
from lit_models.attention.gpt_decoder import GPTDecoder
from lit_models.attention.gpt_weights import convert
from lit_models.functional.beam import beam_search
from lit_models.functional.decoding import Step, generate
from lit_models.layers.packed_linear import PackedLinear
from scripts.evidence.benches.part import Goal, Part

PART = Part(
    "Generation with GPT",
    """\
6 layers of 256, random weights, a vocabulary of 1,000; greedy or four beams, no stop token. `transformers` is
`generate` on the same weights, and both generate identical text, or the bench fails. `matrices only` is the products
with the network's matrices and nothing else: what is left of our step when all the rest costs nothing. The window's
`ours` generates after 1,536 tokens, its `early` after 128.""",
    "tokens",
    (
        Goal("generation, batch 1", "transformers", 2.0, None, "GPT with a cache that is written in place"),
        Goal("generation, batch 16", "transformers", 1.7, None, "the same"),
        Goal("beams of 4, batch 4", "transformers", 1.5, None, "all beams of all rows in one batch"),
        Goal("a window of 64", "early", 0.9, None, "a late token costs what an early one costs"),
    ),
)
VOCABULARY, CONTEXT, WIDTH, LAYERS, HEADS = 1000, 256, 256, 6, 4
PROMPT, NEW, BEAM_NEW, BEAMS = 8, 128, 48, 4
WINDOW, EARLY, LATE = 64, 128, 1536  # the window's cost is measured after so many tokens
Row = dict[str, Any]


@cache
@torch.inference_mode(False)
def models() -> tuple[GPTDecoder, Any]:
    """Ours and Hugging Face's, with equal weights of large variance: no two tokens are nearly equally probable."""
    import transformers

    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    sizes: Any = {"vocab_size": VOCABULARY, "n_positions": CONTEXT, "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).eval()
    for parameter in theirs.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.1)
    ours = GPT(VOCABULARY, CONTEXT, WIDTH, LAYERS, HEADS)
    ours.load_state_dict(convert(ours, theirs.state_dict()))
    return GPTDecoder(ours), theirs


def prompts(rows: int) -> Tensor:
    return torch.randint(1, VOCABULARY, (rows, PROMPT), generator=torch.Generator().manual_seed(rows))


def stepper(net: GPTDecoder, probabilities: bool = False) -> Step:
    def step(last: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = net.decode(last[:, None], state)
        return logits[:, -1].log_softmax(-1) if probabilities else logits[:, -1], state

    return step


@torch.inference_mode()
def ours(rows: int) -> Tensor:
    net, prompt = models()[0], prompts(rows)
    _, state = net.decode(prompt[:, :-1], None)
    return generate(stepper(net), prompt[:, -1], state, NEW)


@torch.inference_mode()
def ours_beam(rows: int) -> Tensor:
    net, prompt = models()[0], prompts(rows)
    _, state = net.decode(prompt[:, :-1], None)
    found = beam_search(stepper(net, True), prompt[:, -1], state, BEAMS, BEAM_NEW, eos_id=-1, length_penalty=1.0)
    return torch.tensor([best[0].tokens for best in found])


@torch.inference_mode()
def theirs(rows: int, beams: int = 1) -> Tensor:
    prompt, new = prompts(rows), NEW if beams == 1 else BEAM_NEW
    lengths = {"max_new_tokens": new, "num_beams": beams, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    return models()[1].generate(prompt, attention_mask=torch.ones_like(prompt), **lengths)[:, PROMPT:]


@torch.inference_mode()
def matrices(rows: int) -> int:
    """Only the products with the network's matrices, as many as in ``ours``: the lower limit of the time. Returns the
    number of tokens that would be generated.
    """
    layers = [module for module in models()[0].modules() if isinstance(module, PackedLinear)]
    inputs = {size: torch.randn(rows, 1, size) for size in {layer.in_features for layer in layers}}
    for _ in range(NEW):
        for layer in layers:
            layer(inputs[layer.in_features])
    return rows * NEW


def theirs_beam(rows: int) -> Tensor:
    return theirs(rows, BEAMS)


CASES: dict[str, tuple[int, dict[str, Callable[[int], Tensor]]]] = {
    "generation, batch 1": (1, {"ours": ours, "transformers": theirs}),
    "generation, batch 16": (16, {"ours": ours, "transformers": theirs}),
    "beams of 4, batch 4": (4, {"ours": ours_beam, "transformers": theirs_beam}),
}


def measure(threads: int, repeats: int, say: Callable[[str], None]) -> list[Row]:
    """Tokens per second of each side in each turn, and the window's early and late.

    Raises:
        RuntimeError: The sides do not generate the same text.
    """
    torch.set_num_threads(threads)
    table: dict[tuple[str, str], Row] = {}

    def note(workload: str, side: str, tokens: int, seconds: float) -> None:
        row = {"workload": workload, "threads": threads, "side": side, "steps": tokens, "samples": tokens, "rates": []}
        table.setdefault((workload, side), row)["rates"].append(tokens / seconds)
        say(f"{workload}, {threads} threads, {side}: {tokens / seconds:,.0f} tokens/s")

    for workload, (rows, sides) in CASES.items():
        if not torch.equal(*(side(rows) for side in sides.values())):  # warms up, too
            raise RuntimeError(f"{workload}: the sides write different texts")
        for _ in range(repeats):
            for name, side in sides.items():
                start = time.perf_counter()
                written = side(rows)
                note(workload, name, written.numel(), time.perf_counter() - start)
            if "beams" not in workload:
                start = time.perf_counter()
                tokens = matrices(rows)
                note(workload, "matrices only", tokens, time.perf_counter() - start)
    for _ in range(repeats):
        for name, seconds in window_seconds().items():
            note(f"a window of {WINDOW}", name, NEW, seconds)
    return list(table.values())


@cache
@torch.inference_mode(False)
def windowed() -> GPTDecoder:
    """Rotary positions, so that the length is not limited, and a sliding window."""
    torch.manual_seed(0)
    return GPTDecoder(GPT(VOCABULARY, CONTEXT, WIDTH, LAYERS, HEADS, variant="llama", window=WINDOW))


@torch.inference_mode()
def window_seconds() -> dict[str, float]:
    """Seconds for ``NEW`` tokens after ``LATE`` tokens (ours) and after ``EARLY``."""
    net = windowed()
    last, state = torch.ones(1, dtype=torch.long), None
    step, found = stepper(net), {}
    for name, until in (("early", EARLY), ("ours", LATE)):
        while state is None or state.length < until:
            _, state = step(last, state)
        start = time.perf_counter()
        for _ in range(NEW):
            _, state = step(last, state)
        found[name] = time.perf_counter() - start
    return found
