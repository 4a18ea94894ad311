"""``dive chat RUN_OR_PTH``: talk to a trained model in the terminal; its answers appear while they are written.

    dive chat rwkv/rwkv                        the newest run of a recipe, RWKV or any other language model
    dive chat runs/attention/gpt/DIR           a run
    dive chat RWKV-x070-0.1B.pth               weights of BlinkDL's; its vocabulary is read beside it or under DIVE_DATA

A line is a question. Ctrl-C stops an answer, Ctrl-D ends. Lines that begin with / are commands:

    /reset  /undo  /regen  /save FILE  /load FILE  /set NAME VALUE  /set  /quit

``/set`` changes an option (``temperature``, ``top_p``, ``top_k``, ``presence``, ``frequency``, ``penalty_decay``,
``max_tokens``, ``temperature_last``) for the next answers. ChatRWKV applies the temperature after top-p, and so does
``--temperature_last``.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NoReturn

from common.data_protocol import attribute_of
from common.messages import UserError, note
from scripts.verbs.generate import load, unescape

COMMANDS = ("reset", "undo", "regen", "save", "load", "set", "quit")
WORLD_SIZES = (65536, 65529)


def main(argv: list[str]) -> int:
    """Talks until the input ends; returns 0."""
    parser = chat_parser()
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip() + "\n\n" + parser.format_help())
        return 0
    given = parser.parse_args(argv)
    from lit_models.functional.chat_sampling import ChatSampling

    names = {field.name for field in fields(ChatSampling)} - {"ban"}
    try:
        options = ChatSampling(**{name: getattr(given, name) for name in names}, ban=tuple(given.ban))
    except ValueError as error:
        raise UserError(f"--{error}") from None
    if given.max_tokens < 1:
        raise UserError(f"--max_tokens is {given.max_tokens}: give at least 1")
    talk(Chat(conversation(given), options, given.max_tokens))
    return 0


class Parser(argparse.ArgumentParser):
    """Its errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`")


def chat_parser(prog: str = "dive chat") -> argparse.ArgumentParser:
    """The options that name a model and say how a chat chooses."""
    parser = Parser(prog=prog, allow_abbrev=False, add_help=False)
    parser.add_argument("what", metavar="RUN_OR_PTH", help="a recipe, the folder of a run, or a file of RWKV weights")
    parser.add_argument("--ckpt_path", default="best", help="of a run: best (default), last, or a file")
    parser.add_argument("--tokenizer", default="", metavar="FILE", help="of a .pth: the vocabulary's file")
    parser.add_argument("--template", default=None, help="text around a question, with {} in its place")
    parser.add_argument("--stop", default=None, help="text that ends an answer")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (default 0)")
    parser.add_argument("--max_tokens", type=int, default=200, help="most tokens of an answer (default 200)")
    parser.add_argument("--temperature", type=float, default=1.0, help="0 takes the best token (default 1)")
    parser.add_argument("--top_p", type=float, default=0.85, help="only the best tokens that reach it (default 0.85)")
    parser.add_argument("--top_k", type=int, default=0, help="only the k best tokens (default 0: all)")
    parser.add_argument("--presence", type=float, default=0.2, help="penalty of tokens said already (default 0.2)")
    parser.add_argument("--frequency", type=float, default=0.2, help="penalty for each time (default 0.2)")
    parser.add_argument("--penalty_decay", type=float, default=0.996, help="how counts fade per token (default 0.996)")
    parser.add_argument("--temperature_last", action="store_true", help="temperature after top-p, as ChatRWKV")
    parser.add_argument("--ban", type=int, nargs="+", default=[], metavar="ID", help="tokens that are never said")
    return parser


class Chat:
    """A conversation, the options of the next answer, and the commands.

    Args:
        conversation: With the model.
        options: How answers are chosen.
        max_tokens: Most tokens of an answer.
    """

    def __init__(self, conversation: Any, options: Any, max_tokens: int) -> None:
        self.conversation, self.options, self.max_tokens = conversation, options, max_tokens
        size = conversation.vocab_size
        if wrong := [i for i in options.ban if not 0 <= i < size]:
            raise UserError(f"--ban has {wrong[0]}: the model's tokens are 0 to {size - 1}")

    def line(self, line: str) -> Iterator[str]:
        """What is shown in reply to a line of the user."""
        if not line.startswith("/"):
            yield from self.conversation.ask(line, self.options, self.max_tokens)
            return
        name, _, rest = line[1:].strip().partition(" ")
        if name not in COMMANDS:
            raise UserError(f"no command /{name}: there are /{', /'.join(COMMANDS)}")
        if name == "quit":
            raise EOFError
        yield from getattr(self, name)(rest.strip())

    def reset(self, _: str) -> Iterator[str]:
        self.conversation.reset()
        yield "(forgotten)"

    def undo(self, _: str) -> Iterator[str]:
        yield f"(taken back: {self.conversation.undo()})"

    def regen(self, _: str) -> Iterator[str]:
        yield from self.conversation.again(self.options, self.max_tokens)

    def save(self, path: str) -> Iterator[str]:
        if not path:
            raise UserError("/save needs a file: /save talk.pt")
        try:
            self.conversation.save(path)
        except (OSError, RuntimeError) as error:
            raise UserError(f"{path} cannot be written: {error}") from None
        yield f"(saved: {path})"

    def load(self, path: str) -> Iterator[str]:
        if not path:
            raise UserError("/load needs a file that /save wrote")
        for question, answer in self.conversation.load(path):
            yield f"> {question}\n{answer.strip()}\n"

    def set(self, words: str) -> Iterator[str]:
        name, _, value = words.partition(" ")
        known = asdict(self.options) | {"max_tokens": self.max_tokens}
        known.pop("ban")
        if name not in known:
            if name:
                raise UserError(f"no option {name}: there are {', '.join(known)}")
            yield ", ".join(f"{key} {now}" for key, now in known.items())
            return
        kind = bool if name == "temperature_last" else int if name in ("top_k", "max_tokens") else float
        try:
            new: Any = value.strip().lower() in ("true", "1", "yes") if kind is bool else kind(value)
            if name == "max_tokens" and new < 1:
                raise ValueError("give at least 1")
            if name == "max_tokens":
                self.max_tokens = new
            else:
                self.options = replace(self.options, **{name: new})
        except ValueError as error:
            raise UserError(f"/set {words}: {error}") from None
        yield f"({name} {new})"


def talk(chat: Chat) -> None:
    """Reads lines and shows answers. Ctrl-C stops the answer only."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while True:
            try:
                line = input("> " if sys.stdin.isatty() else "")
            except KeyboardInterrupt:
                print("\n(Ctrl-D or /quit ends)")
                continue
            if not line.strip():
                continue
            pieces = chat.line(line)
            try:
                for piece in pieces:
                    sys.stdout.write(piece)
                    sys.stdout.flush()
            except KeyboardInterrupt:
                pieces.close()  # type: ignore[attr-defined]
                sys.stdout.write(" (stopped)")
            except UserError as error:
                sys.stdout.write(f"dive: {error}")
            print(flush=True)
    except EOFError:
        return
    finally:
        signal.signal(signal.SIGINT, before)


# -- models ---------------------------------------------------------------------------------------------------------


def conversation(given: argparse.Namespace) -> Any:
    """The conversation with what the user named."""
    net, tokenizer, template, stop = weights_file(given) if given.what.endswith(".pth") else trained_run(given)
    template = template if given.template is None else unescape(given.template)
    stop = stop if given.stop is None else unescape(given.stop)
    return opener(net, tokenizer, template, stop, given.what)(given.seed)


def opener(net: Any, tokenizer: Any, template: str, stop: str, what: str, undo_depth: int = 0) -> Callable[[int], Any]:
    """``open(seed)``, which begins a conversation with a network; each has a state of its own.

    Args:
        net: The network.
        tokenizer, template, stop, undo_depth: See ``Conversation``.
        what: What the user named.

    Raises:
        UserError: The network cannot continue a text from a state.
    """
    import torch

    from lit_models.functional.conversation import Conversation

    if not hasattr(net, "decode"):
        raise UserError(f"{what} has a {type(net).__name__}, which does not continue a text from a state")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = net.to(device).eval()
    total = sum(float(p.detach().double().abs().sum()) for p in net.parameters())
    size = sum(p.numel() for p in net.parameters())
    model = f"{getattr(net, 'kind', type(net).__name__)}, {size:,} parameters (sum {total:.6g})"
    fast = net.for_decoding() if hasattr(net, "for_decoding") else net
    context = int(getattr(net, "context", 0))

    def begin(seed: int) -> Conversation:
        return Conversation(fast.decode, tokenizer, template, stop, model, seed, device, context, undo_depth)

    return begin


def trained_run(given: argparse.Namespace) -> tuple[Any, Any, str, str]:
    """Network, tokenizer, template and stop of a run."""
    folder = Path(given.what).is_dir()
    given.run, given.recipe = (given.what, "") if folder else (None, given.what)
    model, data, run = load(given)
    tokenizer = attribute_of(data, "tokenizer")
    if tokenizer is None or not hasattr(model, "net"):
        raise UserError(f"{run} is a run of {type(model).__name__}: a chat needs a language model")
    return model.net, tokenizer, attribute_of(data, "chat_template", "{}"), attribute_of(data, "chat_stop", "")


def weights_file(given: argparse.Namespace) -> tuple[Any, Any, str, str]:
    """The network of a file of RWKV weights, with the vocabulary of the World models or the one that was given."""
    from datamodules.text.tokenizer_files import read_tokenizer
    from datamodules.text.world_tokenizer import VOCABULARY, fetch_vocabulary
    from lit_models.layers.pretrained import load_weights
    from lit_models.layers.weight_files import read_weights
    from lit_models.rwkv.rwkv import rwkv
    from lit_models.rwkv.weights import sizes_of

    if not Path(given.what).is_file():
        raise UserError(f"there is no file {given.what}")
    sizes = sizes_of(read_weights(given.what).tensors)
    net, size, path = rwkv(**sizes), sizes["vocab_size"], given.tokenizer
    load_weights(net, given.what)
    if not path:
        if size not in WORLD_SIZES:
            raise UserError(f"{given.what} has {size} tokens, not the World vocabulary: give --tokenizer")
        beside = Path(given.what).parent / VOCABULARY
        path = str(beside if beside.is_file() else fetch_vocabulary())
    tokenizer = read_tokenizer(path)
    if len(tokenizer) > size:
        raise UserError(f"{path} has {len(tokenizer)} tokens, the weights {size}: give another --tokenizer")
    if len(tokenizer) < size:
        note(f"the vocabulary has {len(tokenizer):,} tokens, the weights {size:,}: the rest is never said")
    return net, tokenizer, "User: {}\n\nAssistant:", "\n\n"
