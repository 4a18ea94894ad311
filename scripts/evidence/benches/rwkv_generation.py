"""Generation with RWKV: against the ``rwkv`` package, sixteen texts at once, prefill, and after 100,000 tokens."""

from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from lit_models.functional.state import map_state
from scripts.evidence.benches.rwkv_work import NAMES, VOCABULARY, Side, Work, network, same


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
