"""Beside the result of ``dive test`` on a person's own data: chance and a simple baseline, and who is better.

A network that loses against logistic regression is worth a word, and a hint what to try.
"""

from typing import Any

import torch
from torch.nn import functional as F

from common.messages import note
from scripts.front.baselines import MAX_FEATURES, MAX_ROWS, baselines, classification, fits

SMALL = 16  # pixels of a side of the images that the baseline gets
#: The metric that is compared: the first that both have; whether more is better.
COMPARED = {
    "test/acc": True,
    "test/r2": True,
    "test/rmse": False,
    "test/bits_per_character": False,
    "test/perplexity": False,
    "test/bleu": True,
    "test/ndcg@10": True,
    "test/auc": True,
    "test/count_error": False,
}
#: What to try by the folder of the datamodule, where the baseline is better.
ADVICE = {
    "text": "take a lower rate (--model.optimizer.lr 0.001), sub-words (--data.unit subword), or --model.vectors FILE",
    "language": "train longer (--trainer.max_epochs), or give it a larger network (--model.hidden_size)",
    "parallel_text": "train longer (--trainer.max_epochs), or give it more pairs",
    "tabular": "train longer (--trainer.max_epochs), `dive ensemble`, or keep to the simpler model",
    "vision": "train longer (--trainer.max_epochs), or a network with published weights (--model.weights)",
    "ratings": "train longer (--trainer.max_epochs), give a smaller --data.batch_size, or take recommender/ease",
    "audio": "train longer (--trainer.max_epochs), or more clips for each class",
}


def compare(data: Any, metrics: dict[str, float]) -> list[str]:
    """The lines beside a result; none for data of the project, or without a baseline of the same task.

    Args:
        data: The datamodule that was tested.
        metrics: The result, such as ``test/acc``.
    """
    if not getattr(data, "own_path", "") or getattr(data, "other_file", False) or getattr(data, "unlabeled", False):
        return []
    trainer, data.trainer = data.trainer, None  # nothing is said about its reading again
    try:
        found = baselines(data) or of_images(data)
    finally:
        data.trainer = trainer
    if not any(key in metrics and key in entry["metrics"] for key in COMPARED for entry in found.values()):
        return []  # another task: the loss of a generator of images is not that of a classifier
    lines = []
    for name in found:
        shown = {key: value for key, value in found[name]["metrics"].items() if key in metrics}
        numbers = "  ".join(f"{key} {value:.4f}" for key, value in sorted(shown.items()))
        if numbers:
            lines.append(f"  {name:<9}{numbers}  ({found[name]['what']})")
    return [*lines, *verdict(kind_of(data), found, metrics)]


def kind_of(data: Any) -> str:
    """The folder of the datamodule; a text for language models is ``language``."""
    folder = next(
        (k.__module__.split(".")[1] for k in type(data).__mro__ if k.__module__.startswith("datamodules.")), ""
    )
    return "language" if folder == "text" and not hasattr(data, "vocabulary") else folder


def verdict(kind: str, found: dict[str, dict[str, Any]], metrics: dict[str, float]) -> list[str]:
    """A line that says so where chance or a baseline is better than the result."""
    for key, more in COMPARED.items():
        values = {name: entry["metrics"][key] for name, entry in found.items() if key in entry["metrics"]}
        if key not in metrics or not values:
            continue
        sign = 1 if more else -1
        best = max(values, key=lambda name: sign * values[name])
        if sign * values[best] <= sign * metrics[key]:
            return []
        name = {"baseline": "the simple baseline", "trees": "a forest of boosted trees"}.get(best, best)
        advice = ADVICE.get(kind, "train longer (--trainer.max_epochs)")
        return [
            f"  {name} is better than this run ({key} {values[best]:.4f} against {metrics[key]:.4f}): try to {advice}"
        ]
    return []


def of_images(data: Any) -> dict[str, dict[str, Any]]:
    """Logistic regression on images of 16 x 16 pixels, for images that are too large for their pixels."""
    train, test = data.splits.get("train"), data.splits.get("test")
    if not train or not test or len(train) != 2 or not fits(train[-1]) or train[-1].is_floating_point():
        return {}
    if train[0].ndim != 4 or train[0].shape[2] <= SMALL or train[0][0].numel() <= MAX_FEATURES:
        return {}
    rows = torch.randperm(len(train[0]), generator=torch.Generator().manual_seed(0))[:MAX_ROWS]

    def small(split: tuple[Any, ...]) -> tuple[Any, Any]:
        parts = [F.adaptive_avg_pool2d(data.transform((x, x))[0].float(), SMALL) for x in split[0].split(256)]
        return torch.cat(parts).flatten(1).double().numpy(), split[1].numpy()

    x, y = small(tuple(t[rows] for t in train))
    on = f"on {len(rows):,} training images of {SMALL} x {SMALL} pixels"
    return classification(x, y, *small(test), on)


def say(data: Any, metrics: dict[str, float]) -> None:
    """Prints the comparison; a baseline that cannot be computed is no reason to fail."""
    try:
        lines = compare(data, metrics)
    except Exception as error:  # the result stands; scikit-learn's reason is enough
        note(f"no baseline beside it: {' '.join(str(error).split())[:160]}")
        return
    for line in lines:
        print(line, flush=True)
