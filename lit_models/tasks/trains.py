"""``@trains(Network)``: a LightningModule from a task and a network; the network alone states its arguments.

::

    @trains(LeNet)
    class LitLeNet(ImageClassifier):
        \"\"\"LeNet trained as a classifier.\"\"\"

    LitLeNet(activation="relu", label_smoothing=0.1)    # LeNet's argument, the task's argument

The arguments of ``LitLeNet``, all by keyword, are those of ``LeNet``, of the class itself where it has an ``__init__``
of its own (which passes ``**task`` on), and of ``ImageClassifier`` and its bases. One that both sides have
(``num_classes``) goes to both, with the network's default unless the class itself states one. The command line,
``dive fit --help``, the checkpoint's hyper-parameters and ``inspect.signature`` see this composed list.

If the data does not have an argument of the network, a function computes it, and its parameters replace the
argument: ``@trains(MLP, num_features=flat_size)`` has ``in_channels`` and ``image_size`` in place of MLP's own
``num_features``.

With published ``weights=``, a network's ``PUBLISHED`` sizes (a dictionary of its arguments) replace those that were
given.

``net=`` gives the task any other network: ``LitLeNet(net=MyNet())``, ``dive fit cnn/lenet --model.net mine.MyNet``.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from docstring_parser import parse
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters as given_hyperparameters
from torch import nn

from common.messages import note
from lit_models.layers.weight_files import origin_of

Leaf = TypeVar("Leaf", bound=type)
Parameters = dict[str, inspect.Parameter]


def trains(network: Callable[..., nn.Module], **computed: Callable[..., Any]) -> Callable[[Leaf], Leaf]:
    """Adds the network to a task's class.

    Args:
        network: An ``nn.Module`` class, or a function that returns a network.
        **computed: Functions for arguments of the network that are computed from others. Their parameters become
            arguments of the class.
    """

    def declare(leaf: Leaf) -> Leaf:
        own = leaf.__init__  # type: ignore[misc]
        direct = {name: p for name, p in parameters_of(network).items() if name not in computed}
        inner = {name: p for function in computed.values() for name, p in parameters_of(function).items()}
        task = task_parameters(leaf)
        explicit = parameters_of(own) if "__init__" in vars(leaf) else {}
        explicit = {name: p for name, p in explicit.items() if p.default is not p.empty}
        merged = {**task, **inner, **direct, **explicit}
        every = {name: merged[name] for name in dict.fromkeys([*direct, *inner, *explicit, *task])}

        def __init__(self: Any, **given: Any) -> None:
            bound = signature.bind(self, **given)
            bound.apply_defaults()
            arguments = {name: value for name, value in bound.arguments.items() if name != "self"}
            if arguments.get("weights") and arguments.get("weights_from") == "auto":
                arguments["weights_from"] = origin_of(arguments["weights"])
            if arguments.get("weights") and arguments["weights_from"] == "published":
                arguments |= {n: v for n, v in getattr(network, "PUBLISHED", {}).items() if n in direct}
            net = arguments.pop("net")
            if net is None:
                values = {name: arguments[name] for name in direct}
                for name, function in computed.items():
                    values[name] = function(**{n: arguments[n] for n in parameters_of(function)})
                net = network(**values)
            elif unused := [n for n in given if n in direct and n not in task]:
                note(f"net is {type(net).__name__}: {network.__name__}'s own {', '.join(unused)} are not used")
            token = given_hyperparameters.set(given_hyperparameters.get() or arguments)
            try:
                own(self, net=net, **{name: arguments[name] for name in task if name != "net"})
            finally:
                given_hyperparameters.reset(token)
            if not hasattr(self, "example_input"):
                self.example_input = example_input(arguments)

        signature = inspect.Signature([inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY), *every.values()])
        __init__.__signature__ = signature  # type: ignore[attr-defined]
        __init__.__annotations__ = {name: p.annotation for name, p in every.items()} | {"return": None}
        __init__.__doc__ = documentation([network, *computed.values(), *classes_of(leaf)], list(every))
        __init__.__qualname__, __init__.__module__ = f"{leaf.__qualname__}.__init__", leaf.__module__
        leaf.__init__ = __init__  # type: ignore[misc]
        leaf.network = network  # type: ignore[attr-defined]
        return leaf

    return declare


def flat_size(num_features: int = 0, in_channels: int = 1, image_size: int = 28) -> int:
    """The number of values in a flattened sample.

    Args:
        num_features: Columns of a table; 0 means an image.
        in_channels: Channels of the image.
        image_size: Height and width of the image in pixels.
    """
    return num_features or in_channels * image_size**2


def example_input(arguments: dict[str, Any]) -> Any:
    """A sample of zeros in a batch of one, in the shape that follows from a model's sizes; None if it does not."""
    import torch

    def size(name: str) -> int:
        return int(arguments.get(name) or 0)

    if size("num_samples"):  # a waveform
        return torch.zeros(1, size("num_samples"))
    if "source_vocab_size" in arguments:  # teacher forcing: source, its length, the target so far
        tokens = torch.ones(1, size("max_length"), dtype=torch.long)
        return tokens, torch.tensor([tokens.shape[1]]), tokens
    if size("vocab_size"):
        pad_id = arguments.get("pad_id", -1)
        return torch.full((1, size("seq_len") or 32), (pad_id + 1) % size("vocab_size"))
    if size("num_features"):  # a row of a table
        return torch.zeros(1, size("num_features"))
    if size("image_size"):
        return torch.zeros(1, size("in_channels") or 1, size("image_size"), size("image_size"))
    return None


def classes_of(leaf: type) -> list[type]:
    """The class and its bases whose ``__init__`` is called, from the leaf to the first without ``**kwargs``."""
    found = []
    for klass in leaf.__mro__:
        if "__init__" in vars(klass):
            found.append(klass)
            kinds = [p.kind for p in inspect.signature(vars(klass)["__init__"]).parameters.values()]
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                break
    return found


def task_parameters(leaf: type) -> Parameters:
    """The keyword parameters of a class that passes ``**task`` on to its bases, the bases' first."""
    return {name: p for klass in reversed(classes_of(leaf)) for name, p in parameters_of(klass.__init__).items()}  # type: ignore[misc]


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """A function's or class's parameters by name, as keyword-only ones, without ``self`` and without ``**kwargs``."""
    return {
        p.name: p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for p in inspect.signature(function).parameters.values()
        if p.name != "self" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def documentation(sources: list[Any], names: list[str]) -> str:
    """A docstring with the text of ``sources`` on each argument; the first source that documents it is used."""
    said: dict[str, str] = {}
    for source in sources:
        for entry in parse(inspect.getdoc(source) or "").params:
            for name in entry.arg_name.split(", "):
                said.setdefault(name, " ".join((entry.description or "").split()))
    return "Arguments of the network, of the class and of its task, in this order.\n\nArgs:\n" + "\n".join(
        f"    {name}: {said[name]}" for name in names if name in said
    )
