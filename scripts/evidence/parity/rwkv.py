"""RWKV against the ``rwkv`` package (all versions) and transformers' RWKV-4 (with gradients).

The package computes one sequence at a time, in float32 and without gradients. For the gradients of versions 5 to 7
there is no second implementation on a CPU: there ``gradcheck`` stands in, in ``tests/lit_models/layers/test_wkv*.py``.
"""

import contextlib
import importlib.util
import io
import os
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.rwkv.rwkv import VersionedRWKV, rwkv
from scripts.evidence.verify import Check, Tensors

LENGTH, VOCABULARY = 17, 50
NAMES = {
    "emb": "rwkv.embeddings",
    "ln0": "pre_ln",
    "att.": "attention.",
    "ffn.": "feed_forward.",
    "mix_k": "mix_key",
    "mix_v": "mix_value",
    "mix_r": "mix_receptance",
    "ln_out": "rwkv.ln_out",
}


def network(version: int) -> VersionedRWKV:
    """Two heads of 64 and three layers, with weights for which logits have a scale of 4 and everything matters."""
    torch.manual_seed(version)
    net = rwkv(VOCABULARY, version, 128, 3)  # type: ignore[arg-type]
    with torch.no_grad():
        for name, p in net.named_parameters():
            if name.endswith(("weight", "bias", "1", "2")):
                p.add_(0.1 * torch.randn_like(p))
    return net


def tokens() -> Tensor:
    return torch.randint(VOCABULARY, (1, LENGTH), generator=torch.Generator().manual_seed(0))


def both_ways(net: VersionedRWKV) -> Tensors:
    """The logits (T, V) of a whole sequence, and token by token."""
    found, steps, state = {}, [], None
    with torch.no_grad():
        found["whole"] = net(tokens())[0].double()
        for token in tokens()[0]:
            logits, state = net.decode(token.view(1, 1), state)
            steps.append(logits[0, 0].double())
    return found | {"token by token": torch.stack(steps)}


def ours(version: int) -> Tensors:
    return both_ways(network(version))


@cache
def package(seven: bool) -> Any:
    """The package's module; which versions it knows is decided by an environment variable when it is read."""
    spec = importlib.util.find_spec("rwkv.model")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    os.environ |= {"RWKV_V7_ON": str(int(seven)), "RWKV_JIT_ON": "0"}  # it reads the second one again, later
    with contextlib.redirect_stdout(io.StringIO()):
        spec.loader.exec_module(module)
    return module


def theirs(version: int) -> Tensors:
    """The package's answers for the file that we export."""
    ids, steps, state = tokens()[0].tolist(), [], None
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        torch.save(network(version).to_published(), Path(folder) / "net.pth")
        model = package(version == 7).RWKV(f"{folder}/net", "cpu fp32")
    with torch.no_grad():
        whole, _ = model.forward(list(ids), None, full_output=True)
        for token in ids:
            logits, state = model.forward([token], state)
            steps.append(logits.double())
    return {"whole": whole.double(), "token by token": torch.stack(steps)}


def wrong(version: int) -> Tensors:
    """ln_x with the usual epsilon, or, in version 4, which has none, the bonus a hundredth too large."""
    net = network(version)
    with torch.no_grad():
        for block in net.blocks:
            att: Any = block.att
            if version == 4:
                att.time_first.add_(0.01)
            else:
                att.ln_x.eps = 1e-5
    return both_ways(net)


def wrong_bonus(version: int) -> Tensors:
    net = network(version)
    with torch.no_grad():
        for block in net.blocks:
            att: Any = block.att
            (att.r_k if version == 7 else att.time_faaaa).add_(0.01)
    return both_ways(net)


# -- RWKV-4 and its gradients, against transformers -----------------------------------------------------------------


def hugging_face_name(name: str) -> str:
    for ours_, their in NAMES.items():
        name = name.replace(ours_, their)
    return name.replace("blocks.", "rwkv.blocks.")


def with_gradients(net: Any, call: Any, rename: Any) -> Tensors:
    """Logits, and the gradient of the mean cross-entropy of the next token for every parameter."""
    ids = tokens()
    logits = call(ids[:, :-1])
    F.cross_entropy(logits[0], ids[0, 1:]).backward()
    found: Tensors = {"logits": logits.detach()}
    return found | {f"grad {rename(name)}": p.grad for name, p in net.named_parameters()}


def our_gradients(bonus: float = 0.0) -> Tensors:
    net = network(4).double()
    with torch.no_grad():
        for block in net.blocks:
            block.att.time_first.add_(bonus)  # type: ignore[union-attr, operator]
    return with_gradients(net, net, hugging_face_name)


def transformers_gradients() -> Tensors:
    from transformers import RwkvConfig, RwkvForCausalLM

    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 128,
        "attention_hidden_size": 128,
        "num_hidden_layers": 3,
    }
    config = RwkvConfig(**sizes, intermediate_size=512, rescale_every=0, tie_word_embeddings=False, use_cache=False)
    net = RwkvForCausalLM(config).double()
    state = {hugging_face_name(name): t.double() for name, t in network(4).state_dict().items()}
    net.load_state_dict(state)
    net.train()
    return with_gradients(net, lambda ids: net(ids).logits, lambda name: name)


CHECKS = (
    [
        Check(
            name=f"rwkv/rwkv{version}",
            claim=f"RWKV-{'5.2' if version == 5 else version}, a sequence and token by token, from our exported file",
            package="rwkv",
            ours=partial(ours, version),
            reference=partial(theirs, version),
            control=partial(wrong, version),
            mistake="the bonus + 0.01" if version == 4 else "ln_x with epsilon 1e-5",
            tolerance=5e-5,
            why="the package computes in float32; logits have a scale of 4",
            without="gradients: the package has none; "
            + ("transformers' are compared" if version == 4 else "gradcheck"),
        )
        for version in (4, 5, 6, 7)
    ]
    + [
        Check(
            name=f"rwkv/bonus{version}",
            claim=f"The bonus of the present token in RWKV-{'5.2' if version == 5 else version}",
            package="rwkv",
            ours=partial(ours, version),
            reference=partial(theirs, version),
            control=partial(wrong_bonus, version),
            mistake="the bonus + 0.01",
            tolerance=5e-5,
            why="the package computes in float32; logits have a scale of 4",
            without="gradients: the package has none; gradcheck",
            slow=True,
        )
        for version in (5, 6, 7)
    ]
    + [
        Check(
            name="rwkv/gradients4",
            claim="RWKV-4, three layers: logits and the gradients of all parameters against RwkvForCausalLM",
            package="transformers",
            ours=our_gradients,
            reference=transformers_gradients,
            control=partial(our_gradients, bonus=0.01),
            mistake="the bonus + 0.01",
            tolerance=1e-6,
            why="transformers keeps the operator's state in float32",
        )
    ]
)
