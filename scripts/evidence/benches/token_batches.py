"""Translation: batches by tokens against batches by rows, and Marian's network against that of transformers.

``translation/cldr`` as ``dive fit`` runs it, with both kinds of batches: the rate is that of pairs. Then a training
step of Marian's network (3 + 3 layers of 256) and four beams, on the same weights; both sides write the same outputs,
or the bench fails.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.translation.pretrained import LitPretrained
from scripts.evidence.benches import ours as recipe
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Translation",
    """\
`batches`: `translation/cldr` as `dive fit` runs it; `ours` has batches by tokens, `rows` those of 64 pairs, padded to
the longest. `Marian's step` and `Marian's beams`: 3 + 3 layers of 256, a vocabulary of 2,000, the same weights in our
network and in `MarianMTModel`; 32 pairs of 24 tokens per step, and four beams for 8 sources of up to 24 tokens, 32
tokens long (samples are tokens there).""",
    "samples",
    (
        Goal("batches", "rows", 1.3, None, "as many tokens in each batch, and little padding"),
        Goal("Marian's step", "transformers", 1.1, None, "a training step of a network of equal shape"),
        Goal("Marian's beams", "transformers", 1.7, None, "four beams with a cache, the same outputs"),
    ),
)
RECIPE = "translation/cldr"
TEXTS = ["--data.train_size", "5000", "--data.val_size", "20", "--data.test_size", "20"]
VOCABULARY, ROWS, LENGTH, NEW, BEAMS, PAD, END = 2000, 32, 24, 32, 4, 1999, 0
STEPS, WARMUP = 60, 5  # an epoch of 5,000 pairs is 78 steps
Row = dict[str, Any]


def train(clock: Clock, by: str) -> None:
    model: Any
    seed = str(torch.initial_seed())
    _, model, data = build([RECIPE, *TEXTS, "--data.batch_by", by, "--seed_everything", seed])
    recipe.fit(model, data, clock)


@cache
def models() -> tuple[LitPretrained, Any]:
    """Ours and transformers', with equal weights."""
    import transformers

    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    ends: dict[str, Any] = {"pad_token_id": PAD, "eos_token_id": END, "decoder_start_token_id": PAD}
    sizes: dict[str, Any] = {
        **{"encoder_layers": 3, "decoder_layers": 3, "encoder_attention_heads": 4, "decoder_attention_heads": 4},
        **{"encoder_ffn_dim": 1024, "decoder_ffn_dim": 1024, "d_model": 256, "vocab_size": VOCABULARY},
    }
    off: dict[str, Any] = {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0}
    theirs = transformers.MarianMTModel(
        transformers.MarianConfig(**sizes, **ends, **off, activation_function="relu", scale_embedding=True)
    )
    for parameter in theirs.parameters():
        if parameter.ndim > 1 and parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)  # no two tokens are nearly equally probable
    same: dict[str, Any] = {
        **{"hidden_size": 256, "num_layers": 3, "ffn_size": 1024, "dropout": 0.0, "max_length": NEW},
        **{"pad_id": PAD, "bos_id": PAD, "eos_id": END, "length_penalty": 1.0},
    }
    ours = LitPretrained(source_vocab_size=VOCABULARY, target_vocab_size=VOCABULARY, variant="marian", **same)
    net: Any = ours.net
    net.load_state_dict(net.from_published(dict(theirs.state_dict())))
    return ours, theirs


def texts() -> tuple[Tensor, Tensor, Tensor]:
    """Sources and targets of random tokens, and the sources' lengths."""
    generator = torch.Generator().manual_seed(1)
    source, target = (torch.randint(1, PAD, (ROWS, LENGTH), generator=generator) for _ in range(2))
    return source, torch.randint(LENGTH // 2, LENGTH + 1, (ROWS,), generator=generator), target


def step(clock: Clock, side: str) -> None:
    """Forward, backward and Adam."""
    source, length, target = texts()
    mask = (torch.arange(LENGTH) < length[:, None]).long()
    net: Any = models()[0].net.train() if side == "ours" else models()[1].train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 1e-4, fused=True)
    while not clock.done:
        if side == "ours":
            logits = net(source, length, target)
        else:
            logits = net(input_ids=source, attention_mask=mask, decoder_input_ids=target, use_cache=False).logits
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clock.tick(ROWS)
    net.load_state_dict(before)  # the weights of both sides stay equal


@torch.no_grad()
def beams(rows: int, side: str) -> list[list[int]]:
    """The outputs to some sources, by four beams."""
    ours, theirs = models()[0].eval(), models()[1].eval()
    source, length, _ = (t[:rows] for t in texts())
    if side == "ours":
        return [row[0].tokens for row in ours.hypotheses(source, length, BEAMS)]
    output = theirs.generate(
        input_ids=source,
        attention_mask=(torch.arange(LENGTH) < length[:, None]).long(),
        **{"num_beams": BEAMS, "max_new_tokens": NEW, "do_sample": False, "early_stopping": True},
        **{"length_penalty": 1.0, "bad_words_ids": [[PAD]], "renormalize_logits": True, "forced_eos_token_id": None},
    )
    found = output[:, 1:].tolist()
    return [row[: row.index(END) + 1] if END in row else row for row in found]


def generate(clock: Clock, side: str, rows: int = 8) -> None:
    while not clock.done:
        clock.tick(rows * NEW if beams(rows, side) else 0)


def measure(threads: int, repeats: int, say: Callable[[str], None], steps: int = STEPS) -> list[Row]:
    """Pairs a second of training by both kinds of batches and of both networks' steps, and tokens of beams."""
    torch.set_num_threads(threads)
    if beams(8, "ours") != beams(8, "transformers"):
        raise RuntimeError("the two sides write different outputs")
    parts: dict[str, tuple[dict[str, Callable[[Clock], Any]], int, int]] = {
        "batches": ({"ours": partial(train, by="tokens"), "rows": partial(train, by="rows")}, steps, WARMUP),
        "Marian's step": ({side: partial(step, side=side) for side in ("ours", "transformers")}, steps // 4, 2),
        "Marian's beams": ({side: partial(generate, side=side) for side in ("ours", "transformers")}, 2, 1),
    }
    return [
        row
        for workload, (sides, timed, warmup) in parts.items()
        for row in take_turns(workload, threads, sides, repeats, max(1, timed), warmup, say)
    ]
