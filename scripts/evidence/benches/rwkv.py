"""RWKV: operators against the loop, training against transformers', generation against the ``rwkv`` package.

Every comparison first checks that its sides compute the same. Networks are 6 layers of 256 with heads of 64, random
weights and a vocabulary of 1,000. The package generates one text at a time; with its compiled kernels off, as on any
machine without a GPU's compiler.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.wkv4 import initial_state4, wkv4, wkv4_recurrent
from lit_models.layers.wkv6 import wkv6, wkv6_recurrent
from lit_models.layers.wkv7 import wkv7, wkv7_recurrent
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.recurrent import text
from scripts.evidence.benches.rwkv_generation import generation_sides, long_sides, prefill_sides, sixteen_sides
from scripts.evidence.benches.rwkv_work import (
    HEAD,
    NAMES,
    VERSIONS,
    VOCABULARY,
    WORK,
    Row,
    Side,
    Work,
    network,
    same,
    turns,
)
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "RWKV",
    """\
6 layers of 256, random weights, a vocabulary of 1,000; the sides compute the same numbers, or the bench fails. `WKV` is
only the operator, forward and backward, against the loop that defines it. `training` counts tokens for RWKV-4 (AdamW,
ours and transformers' on the same weights) and rows for RWKV-7 (`rwkv/rwkv` as `dive fit` runs it against the bare
loop). `prefill` reads 512 tokens in pieces of 256, or one by one. A long text's `ours` comes after 100,000 tokens, its
`early` after one; the state has the same size.""",
    "tokens",
    (
        Goal("WKV, RWKV-4", "loop", 3.5, None, "no exponential in the loop"),
        Goal("WKV, RWKV-5.2", "loop", 3.0, None, "chunks of 16"),
        Goal("WKV, RWKV-6", "loop", 3.0, None, "the same"),
        Goal("WKV, RWKV-7", "loop", 2.0, None, "the same, with a triangular system in each"),
        Goal("training, RWKV-4", "transformers", 3.0, None, "the operator, whose loop transformers has"),
        Goal("training, RWKV-7", "bare", 0.95, None, "steps of tens of milliseconds"),
        Goal("generation, RWKV-4", "rwkv package", 1.4, 1, "the same weights, one text at a time"),
        *(
            Goal(f"sixteen texts, RWKV-{v}", "one text", 4.0, None, "one product for all rows")
            for v in ("4", "5.2", "6", "7")
        ),
        *(
            Goal(f"a long text, RWKV-{v}", "early", 0.9, None, "the 100,000th token costs as much")
            for v in ("4", "5.2", "6", "7")
        ),
    ),
)
RECIPE = "rwkv/rwkv"


def measure(threads: int, repeats: int, say: Callable[[str], None], work: Work = WORK) -> list[Row]:
    """Tokens a second of each side in each turn.

    Raises:
        RuntimeError: Two sides compute different numbers.
    """
    torch.set_num_threads(threads)
    rows: list[Row] = []
    for version in VERSIONS:
        rows += turns(f"WKV, {NAMES[version]}", threads, operator_sides(version, work), repeats, say)
    rows += training_sides(work, threads, repeats, say)
    rows += our_recipe(work, threads, repeats, say)
    for version in VERSIONS:
        rows += turns(f"generation, {NAMES[version]}", threads, generation_sides(version, work), repeats, say)
        rows += turns(f"sixteen texts, {NAMES[version]}", threads, sixteen_sides(version, work), repeats, say)
        rows += turns(f"prefill, {NAMES[version]}", threads, prefill_sides(version, work), repeats, say)
        rows += turns(f"a long text, {NAMES[version]}", threads, long_sides(version, work), repeats, say)
    return rows


# -- operators ------------------------------------------------------------------------------------------------------


def operator_sides(version: int, work: Work) -> dict[str, Side]:
    """Forward and backward of the form for training, and of the loop."""
    generator = torch.Generator().manual_seed(version)
    heads = work.width // HEAD if work.width >= HEAD else 1
    shape = (work.rows, work.length, heads, work.width // heads)

    def draw(*size: int) -> Tensor:
        return torch.randn(*(size or shape), generator=generator)

    if version == 4:
        k, v = (draw(work.rows, work.length, work.width) for _ in range(2))
        inputs = [k, v, -draw(work.width).exp(), draw(work.width)]
        state: Any = initial_state4(work.rows, work.width, k)
        forms: tuple[Any, Any] = (wkv4, wkv4_recurrent)
    else:
        state = torch.zeros(work.rows, heads, shape[3], shape[3])
        r, k, v, rate = (draw() for _ in range(4))
        if version == 7:
            kk = F.normalize(k, dim=-1)
            inputs, forms = [r, -0.6 * rate.sigmoid(), k, v, -kk, kk * draw().sigmoid()], (wkv7, wkv7_recurrent)
        else:  # a decay for each channel in 5.2, for each token too in 6
            decay = -(rate - 2).exp() if version == 6 else -(rate[:1, :1] - 2).exp().expand(shape)
            inputs, forms = [r, k, v, decay, draw(*shape[2:])], (wkv6, wkv6_recurrent)
    inputs = [t.detach().clone().requires_grad_() for t in inputs]

    def side(form: Any) -> int:
        output, _ = form(*inputs, state)
        torch.autograd.grad(output.square().mean(), inputs)
        return work.rows * work.length

    same(f"WKV, {NAMES[version]}", forms[0](*inputs, state)[0].detach(), forms[1](*inputs, state)[0].detach())
    return {"ours": partial(side, forms[0]), "loop": partial(side, forms[1])}


# -- training -------------------------------------------------------------------------------------------------------


def training_sides(work: Work, threads: int, repeats: int, say: Callable[[str], None]) -> list[Row]:
    """Steps of RWKV-4 with AdamW, ours and transformers' with the same weights."""
    import transformers

    from scripts.evidence.parity.rwkv import hugging_face_name

    transformers.logging.set_verbosity_error()
    mine = deepcopy(network(4, work))  # the sides of generation keep their weights
    sizes: Any = {"vocab_size": VOCABULARY, "hidden_size": work.width, "num_hidden_layers": work.layers}
    config = transformers.RwkvConfig(
        **sizes,
        attention_hidden_size=work.width,
        intermediate_size=4 * work.width,
        context_length=work.length,
        rescale_every=0,
        tie_word_embeddings=False,
        use_cache=False,
    )
    theirs = transformers.RwkvForCausalLM(config)
    theirs.load_state_dict({hugging_face_name(name): tensor for name, tensor in mine.state_dict().items()})
    tokens = torch.randint(VOCABULARY, (work.rows, work.length + 1), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        same("training, RWKV-4", mine(tokens[:1, :-1]), theirs.eval()(tokens[:1, :-1]).logits)

    def steps(net: nn.Module, logits: Callable[[Tensor], Tensor], clock: Clock) -> None:
        net.train()
        optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
        while not clock.done:
            loss = F.cross_entropy(logits(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            clock.tick(work.rows * work.length)

    sides = {
        "ours": partial(steps, mine, mine),
        "transformers": partial(steps, theirs, lambda x: theirs(x).logits),
    }
    return take_turns("training, RWKV-4", threads, sides, repeats, work.steps, work.warmup, say)


def our_recipe(work: Work, threads: int, repeats: int, say: Callable[[str], None]) -> list[Row]:
    """``rwkv/rwkv`` as ``dive fit`` runs it, on random characters, and the bare loop with the same network."""
    data_class = "scripts.evidence.benches.recurrent.RandomText"
    words = [RECIPE, "--data", data_class, "--data.partition", "random", "--model.carry_state", "false"]
    words += ["--data.seq_len", "32", "--data.batch_size", "32"]

    def recipe(clock: Clock) -> None:
        _, model, data = build(words)
        ours.fit(model, data, clock, gradient_clip_val=1.0)

    def bare(clock: Clock) -> None:
        model: Any
        _, model, _ = build(words)
        net, windows = model.net, text().unfold(0, 33, 1)
        optimizer = torch.optim.AdamW(model.parameter_groups(), 0.004, (0.9, 0.99), 1e-18, 0.1, fused=True)
        for index in clock.batches(lambda: torch.randperm(len(windows)).split(32)):
            window = windows.index_select(0, index).long()
            loss = F.cross_entropy(net(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            clock.tick(len(window))

    return take_turns(
        "training, RWKV-7", threads, {"bare": bare, "ours": recipe}, repeats, work.steps, work.warmup, say
    )
