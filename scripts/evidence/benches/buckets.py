"""Fine-tuning a BERT on texts of many lengths: batches of like lengths against batches as wide as the longest text.

``bert/classifier`` as ``dive fit`` runs it, with 4 layers of 128, on random tokens as long as rt-polarity's reviews;
and with layers of 256 beside the model of transformers in a bare loop.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.text.bert_text import BertText
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Fine-tuning a BERT",
    """\
4 layers of 128 on random texts as long as rt-polarity's reviews (10 to 80 tokens, 27 on average), 32 per step:
`bert/classifier` as `dive fit` runs it. `ours` has texts of like lengths in a batch, `longest of the batch` any texts,
`fixed` pads all to 80. `BERT's step`: 4 layers of 256, all texts padded to 80; `transformers` is its
`BertForSequenceClassification` in a bare loop.""",
    "samples",
    (
        Goal("fine-tuning", "fixed", 1.5, None, "texts of like lengths in a batch"),
        Goal("BERT's step", "transformers", 0.95, None, "the recipe as `dive fit` runs it against a bare loop"),
    ),
)
RECIPE, WORKLOAD = "bert/classifier", "fine-tuning"
VOCABULARY, LONGEST, ROWS, BATCH = 1000, 80, 4096, 32
SIZES = ["--model.hidden_size", "128", "--model.num_layers", "4"]
WIDTH = 256  # of the step beside transformers
STEPS, WARMUP = 40, 3
Row = dict[str, Any]


@cache
def reviews() -> tuple[Tensor, Tensor]:
    """Rows (N, 80) int32 padded with 0, and classes; 10 to 80 tokens, 27 on average."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randn(ROWS, generator=generator).mul(0.5).add(3.17).exp().round().clamp(10, LONGEST)
    tokens = torch.randint(5, VOCABULARY, (ROWS, LONGEST), generator=generator, dtype=torch.int32)
    x = tokens.masked_fill(torch.arange(LONGEST) >= lengths[:, None], 0)
    x[:, 0], x[0] = 2, tokens[0]  # one is the longest
    return x, torch.randint(3, (ROWS,), generator=generator)


class Reviews(BertText):
    """The random texts instead of the recipe's.

    Args:
        fixed: Every batch is as wide as the longest text of all.
        num_classes, vocab_size, **rows: See ``BertText``.
    """

    def __init__(self, fixed: bool = False, num_classes: int = 3, vocab_size: int = VOCABULARY, **rows: Any) -> None:
        super().__init__(num_classes, vocab_size=vocab_size, **rows)
        self.fixed = fixed

    def processor(self) -> dict[str, Any]:
        return {}  # no tokenizer

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        x, y = reviews()
        return {"train": (x, y), "val": (x[:1], y[:1])}

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (batch[0].long(), *batch[1:]) if self.fixed else super().transform(batch)


def train(clock: Clock, fixed: bool, buckets: bool, sizes: Sequence[str] = ()) -> None:
    data = [f"{Reviews.__module__}.{Reviews.__name__}", "--data.fixed", str(fixed).lower()]
    more = ["--data.buckets", str(buckets).lower(), "--data.batch_size", str(BATCH), "--data.seq_len", str(LONGEST)]
    seed = str(torch.initial_seed())
    _, model, made = build([RECIPE, "--data", *data, *more, *(sizes or SIZES), "--seed_everything", seed])
    ours.fit(model, made, clock)


def train_transformers(clock: Clock) -> None:
    """The same sizes, texts and optimizer in the shortest loop."""
    import transformers

    transformers.logging.set_verbosity_error()
    config = transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        num_hidden_layers=4,
        num_attention_heads=8,
        intermediate_size=4 * WIDTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    config.num_labels = 3
    net: Any = transformers.BertForSequenceClassification(config).train()
    optimizer = torch.optim.AdamW(net.parameters(), 0.002, fused=True)
    x, y = reviews()
    for index in clock.batches(lambda: torch.randperm(ROWS).split(BATCH)):
        tokens = x[index].long()
        loss = F.cross_entropy(net(input_ids=tokens, attention_mask=(tokens != 0).long()).logits, y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clock.tick(len(index))


SIDES: dict[str, Callable[[Clock], None]] = {
    "ours": partial(train, fixed=False, buckets=True),
    "longest of the batch": partial(train, fixed=False, buckets=False),
    "fixed": partial(train, fixed=True, buckets=False),
}


def measure(threads: int, repeats: int, say: Callable[[str], None], steps: int = STEPS) -> list[Row]:
    """Texts a second of training by the three kinds of batches, and beside transformers."""
    torch.set_num_threads(threads)
    sizes = ["--model.hidden_size", str(WIDTH), "--model.num_layers", "4"]
    pair: dict[str, Callable[[Clock], None]] = {
        "ours": partial(train, fixed=True, buckets=False, sizes=sizes),
        "transformers": train_transformers,
    }
    return [
        *take_turns(WORKLOAD, threads, SIDES, repeats, steps, WARMUP, say),
        *take_turns("BERT's step", threads, pair, repeats, max(1, steps // 2), WARMUP, say),
    ]
