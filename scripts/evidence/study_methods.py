"""What ``dive study`` compares: each method as words of ``dive fit`` for a recipe of 500 digits, and what is expected
of it.

``DEMANDED`` was written before the first run: effects whose sign must come out, since theory or the method's own loss
says so. All others are reported. A wrong sign stays in the table.
"""

from typing import NamedTuple


class Network(NamedTuple):
    """One network.

    Args:
        recipe: That trains it on 500 digits.
        without: Methods that it cannot have.
    """

    recipe: str
    without: tuple[str, ...] = ()


NETWORKS = {
    "lenet": Network("regularization/lenet_500"),
    # Its one dense layer is the last: no weights to drop, and a pass of dropout would be a pass of all convolutions.
    "resnet": Network("regularization/resnet_500", without=("drop_connect", "mc_dropout")),
}


class Method(NamedTuple):
    """One method.

    Args:
        kind: What the picture groups by.
        words: Arguments of ``dive fit``, after ``-c regularizer/none``.
        members: Networks that are trained; their mean prediction counts.
        bootstrap: Whether each is trained on 500 digits drawn from the 500 with replacement.
        predict: ``plain``; ``temperature``, fitted on the validation digits; ``dropout``: the mean of 30 passes.
        option: The argument of the strength, for ``--strengths``.
        strengths: The values tried there.
    """

    kind: str
    words: str = ""
    members: int = 1
    bootstrap: bool = False
    predict: str = "plain"
    option: str = ""
    strengths: tuple[float, ...] = ()


def task(kind: str, name: str, option: str = "", *strengths: float) -> Method:
    return Method(kind, f"-c regularizer/{name}", option=f"--model.regularizers.{option}", strengths=strengths)


def callback(name: str, option: str = "", *strengths: float) -> Method:
    return Method("step", f"-c regularizer/{name}", option=f"--trainer.callbacks.{option}", strengths=strengths)


METHODS = {
    "none": Method("none"),
    "rand_augment": task("batch", "rand_augment", "magnitude", 0.15, 0.3, 0.5),
    "random_erasing": task("batch", "random_erasing", "probability", 0.25, 0.5, 0.9),
    "mixup": task("batch", "mixup", "alpha", 0.1, 0.4, 1.0),
    "cutmix": task("batch", "cutmix", "alpha", 0.3, 1.0),
    "input_noise": task("batch", "input_noise", "std", 0.05, 0.1, 0.2, 0.3),
    "label_noise": task("batch", "label_noise", "fraction", 0.05, 0.1, 0.2),
    "label_smoothing": Method("batch", "-c regularizer/label_smoothing"),
    "fgsm": task("attack", "fgsm"),
    "pgd": task("attack", "pgd"),
    "tangent_prop": task("penalty", "tangent_prop", "weight", 0.01, 0.03, 0.1, 0.3),
    "double_backprop": task("penalty", "double_backprop", "weight", 0.03, 0.1, 0.3, 1.0),
    "gradient_penalty": task("penalty", "gradient_penalty", "weight", 0.003, 0.01, 0.03),
    "activity": task("penalty", "activity", "weight", 0.03, 0.1, 0.3),
    "multitask": task("penalty", "multitask", "weight", 0.1, 0.3, 1.0),
    "l1": task("penalty", "l1", "l1", 0.00003, 0.0001, 0.0003),
    "l2": task("penalty", "l2", "l2", 0.0003, 0.001, 0.003),
    "elastic_net": task("penalty", "elastic_net"),
    "max_norm": callback("max_norm", "limit", 1.0, 1.5, 2.0),
    "dropout": callback("dropout", "p", 0.2, 0.35, 0.5),
    "drop_connect": callback("drop_connect", "p", 0.15, 0.3, 0.5),
    "weight_noise": callback("weight_noise", "std", 0.01, 0.02, 0.04),
    "gradient_noise": callback("gradient_noise", "eta", 0.001, 0.01, 0.1),
    "ema": callback("ema"),
    "swa": Method("step", "-c regularizer/swa"),
    "temperature": Method("prediction", predict="temperature"),
    "mc_dropout": Method("prediction", "-c regularizer/dropout", predict="dropout"),
    "ensemble of 3": Method("prediction", members=3),
    "bagging of 3": Method("prediction", members=3, bootstrap=True),
}

#: (method, metric): the sign of its difference from ``none``.
DEMANDED = {
    ("rand_augment", "test_acc"): 1,  # digits stay digits when they are moved a little
    ("tangent_prop", "test_acc"): 1,  # the same, for infinitely small moves
    ("mixup", "nll"): -1,  # predictions that are less sure of what is wrong
    ("dropout", "nll"): -1,
    ("fgsm", "robust_acc"): 1,  # trained on the attack, or on its first order
    ("pgd", "robust_acc"): 1,
    ("double_backprop", "robust_acc"): 1,
    ("temperature", "nll"): -1,  # one number, fitted to lower it
    ("ensemble of 3", "nll"): -1,  # Jensen: at most the members' mean
}
