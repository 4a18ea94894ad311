"""RWKV: operators against the loop, training against transformers', generation against the ``rwkv`` package.

Every comparison first checks that its sides compute the same. Networks are 6 layers of 256 with heads of 64, random
weights and a vocabulary of 1,000. The package generates one text at a time; with its compiled kernels off, as on any
machine without a GPU's compiler.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.functional.state import map_state
from lit_models.layers.wkv4 import initial_state4, wkv4, wkv4_recurrent
from lit_models.layers.wkv6 import wkv6, wkv6_recurrent
from lit_models.layers.wkv7 import wkv7, wkv7_recurrent
from lit_models.rwkv.rwkv import VersionedRWKV, rwkv
from scripts.evidence.benches import ours
from scripts.evidence.benches.recurrent import text
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

VERSIONS = (4, 5, 6, 7)
NAMES = {4: "RWKV-4", 5: "RWKV-5.2", 6: "RWKV-6", 7: "RWKV-7"}
RECIPE, VOCABULARY, HEAD = "rwkv/rwkv", 1000, 64
TOLERANCE = 1e-3  # of logits of scale 1 to 4 in float32
Row = dict[str, Any]
Side = Callable[[], int]  # does the work; returns the number of tokens


@dataclass(frozen=True)
class Work:
    """How much is done.

    Args:
        width, layers: Of the networks.
        rows, length: Of a batch in training, B and T.
        tokens: That a turn generates.
        prompt: Tokens of a prefilled text.
        far: Tokens before the late ones of a long text.
        steps, warmup: Of training.
    """

    width: int = 256
    layers: int = 6
    rows: int = 8
    length: int = 128
    tokens: int = 64
    prompt: int = 512
    far: int = 100_000
    steps: int = 20
    warmup: int = 2


def measure(threads: int, repeats: int, say: Callable[[str], None], work: Work = Work()) -> list[Row]:
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


def turns(workload: str, threads: int, sides: dict[str, Side], repeats: int, say: Callable[[str], None]) -> list[Row]:
    """The sides take turns after one that warms up."""
    table: dict[str, Row] = {}
    for turn in range(repeats + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            tokens = side()
            rate = tokens / (time.perf_counter() - start)
            if turn:
                facts = {"workload": workload, "threads": threads, "side": name, "steps": tokens, "samples": tokens}
                table.setdefault(name, facts | {"rates": []})["rates"].append(rate)
                say(f"{workload}, {threads} threads, {name}: {rate:,.0f} tokens/s")
    return list(table.values())


def same(what: str, first: Tensor, second: Tensor, tolerance: float = TOLERANCE) -> None:
    """Raises ``RuntimeError`` where two sides compute different numbers."""
    difference = float((first - second).abs().max())
    if not difference <= tolerance * max(1.0, float(first.abs().max())):
        raise RuntimeError(f"{what}: the sides differ by {difference:.2g}")


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
    mine = network(4, work)
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
        while not clock.done:
            for index in torch.randperm(len(windows)).split(32):
                window = windows.index_select(0, index).long()
                loss = F.cross_entropy(net(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
                clock.tick(len(window))
                if clock.done:
                    break

    return take_turns(
        "training, RWKV-7", threads, {"bare": bare, "ours": recipe}, repeats, work.steps, work.warmup, say
    )


# -- generation -----------------------------------------------------------------------------------------------------


@cache
@torch.inference_mode(False)
def network(version: int, work: Work) -> VersionedRWKV:
    """Random weights for which everything matters, in evaluation mode."""
    torch.manual_seed(version)
    net = rwkv(VOCABULARY, version, work.width, work.layers, min(HEAD, work.width))  # type: ignore[arg-type]
    with torch.no_grad():
        for name, p in net.named_parameters():
            if name.endswith(("weight", "bias", "1", "2")):
                p.add_(0.05 * torch.randn_like(p))
    return net.eval()


@cache
def package_model(version: int, work: Work) -> Any:
    """The ``rwkv`` package's network with our weights; None where it is not installed."""
    import contextlib
    import importlib.util
    import io
    import tempfile

    if importlib.util.find_spec("rwkv") is None:
        return None
    from scripts.evidence.parity.rwkv import package

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        torch.save(network(version, work).to_published(), f"{folder}/net.pth")
        return package(version == 7).RWKV(f"{folder}/net", "cpu fp32")


@torch.inference_mode()
def generated(net: Any, rows: int, count: int, state: Any = None) -> tuple[Tensor, Any]:
    """The best token each time, from token 1 on: (rows, count)."""
    last, found = torch.ones(rows, 1, dtype=torch.long), []
    for _ in range(count):
        logits, state = net.decode(last, state)
        last = logits[:, -1].argmax(-1, keepdim=True)
        found.append(last)
    return torch.cat(found, 1), state


def texts(net: Any, rows: int, work: Work) -> int:
    """Generates texts; returns the number of their tokens."""
    return generated(net, rows, work.tokens)[0].numel()


def sixteen_sides(version: int, work: Work) -> dict[str, Side]:
    """Sixteen texts at once, and one."""
    net = network(version, work).for_decoding()
    return {"ours": partial(texts, net, 16, work), "one text": partial(texts, net, 1, work)}


def generation_sides(version: int, work: Work) -> dict[str, Side]:
    """One text, ours and the package's."""
    net, theirs = network(version, work).for_decoding(), package_model(version, work)

    def package_texts(count: int) -> list[int]:
        last, state, found = 1, None, []
        with torch.no_grad():
            for _ in range(count):
                logits, state = theirs.forward([last], state)
                found.append(last := int(logits.argmax()))
        return found

    sides: dict[str, Side] = {"ours": partial(texts, net, 1, work)}
    if theirs is not None:
        few = min(work.tokens, 16)
        if package_texts(few) != generated(net, 1, few)[0][0].tolist():
            raise RuntimeError(f"generation, {NAMES[version]}: the sides generate different texts")
        sides["rwkv package"] = lambda: len(package_texts(work.tokens))
    return sides


def prefill_sides(version: int, work: Work) -> dict[str, Side]:
    """A text read at once, and token by token; the scores of the next token are the same."""
    net = network(version, work).for_decoding()
    ids = torch.randint(VOCABULARY, (1, work.prompt), generator=torch.Generator().manual_seed(1))

    @torch.inference_mode()
    def read(size: int) -> Tensor:
        state, logits = None, torch.zeros(())
        for part in ids.split(size, 1):
            logits, state = net.decode(part, state)
        return logits[:, -1]

    def side(size: int) -> int:
        read(size)
        return work.prompt

    same(f"prefill, {NAMES[version]}", read(1), read(256))
    return {"ours": partial(side, 256), "token by token": partial(side, 1)}


def long_sides(version: int, work: Work) -> dict[str, Side]:
    """Tokens at the beginning of a text and after ``far`` of them; the state has the same size.

    A text that long is read by a network of one narrow layer: it is the growth with the place that is measured.
    """
    net = network(version, Work(64, 1)).for_decoding()
    with torch.inference_mode():
        early = late = net.decode(torch.ones(1, 1, dtype=torch.long), None)[1]
        generator = torch.Generator().manual_seed(2)
        for _ in range(work.far // 1000):
            late = net.decode(torch.randint(VOCABULARY, (1, 1000), generator=generator), late)[1]
    if size_of(early) != size_of(late):
        raise RuntimeError(f"a long text, {NAMES[version]}: the state grows from {size_of(early)} to {size_of(late)}")

    def side(state: Any) -> int:
        return generated(net, 1, work.tokens, state)[0].numel()

    return {"early": partial(side, early), "ours": partial(side, late)}


def size_of(state: Any) -> int:
    """Numbers in a state."""
    sizes: list[int] = []
    map_state(lambda t: sizes.append(t.numel()), state)  # type: ignore[arg-type, return-value]
    return sum(sizes)
