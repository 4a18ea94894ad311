"""``dive generate RECIPE --prompt TEXT``: texts, translations, pictures and whatever else a trained model generates.

    dive generate RECIPE --prompt "The class" --temperature 0.8 --max_tokens 300
    dive generate rnn/bahdanau --prompt "<sw> Monday, March 5, 2018" --beam 4 --n_best 3
    dive generate diffusion/points --sampler heun --steps 20
    dive generate attention/gpt --draft runs/small --prompt "The class"

A language model's text is streamed; several prompts, or ``--samples``, are shown one after the other. Pictures,
animations and tables of points are saved in the run's folder ``generated``. The newest run of the recipe is taken, or
``--run DIR``. The options of a run's model are shown by ``dive generate RECIPE --help``: they are the parameters of its
``generate`` (``common/generation.py``). With ``--draft`` a small language model proposes tokens and the model checks
them (speculative decoding): the same texts in distribution, with fewer steps of the model. In a prompt and in
``--stop``, ``\\n`` is a new line and ``\\t`` a tab.
"""

import argparse
import csv
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args, get_origin

from common.generation import Generates, Output
from common.messages import UserError


def main(argv: list[str]) -> int:
    """Loads a run's model and shows what it generates; returns 0."""
    parser = base_parser()  # without the model's own options, which are known only after it is built
    words = guard_prompts([word for word in argv if word not in ("-h", "--help")])
    known, _ = parser.parse_known_args(words if words[:1] and words[0].startswith("-") else words[1:])
    known.recipe = words[0] if words and not words[0].startswith("-") else ""
    wants_help = bool({"-h", "--help"} & set(argv))
    if not known.recipe and not known.run:
        if wants_help:
            print((__doc__ or "").strip() + "\n\n" + parser.format_help())
            return 0
        raise UserError('which recipe? `dive generate RECIPE --prompt "..."`')
    import torch

    model, data, run = load(known)
    if not isinstance(model, Generates):
        raise UserError(f"{run} is a run of {type(model).__name__}, which generates nothing")
    parser.add_argument("recipe", nargs="?", default="", metavar="RECIPE")
    add_options(parser, model.generate)
    if wants_help:
        parser.print_help()
        return 0
    options = vars(parser.parse_args(words))
    for name in ("recipe", "run", "ckpt_path"):
        options.pop(name)
    draft, proposals = options.pop("draft"), options.pop("draft_tokens")
    prompts = [unescape(text) for text in options.pop("prompt")]
    if "stop" in options:
        options["stop"] = [unescape(text) for text in options["stop"]]
    network: Any = model
    network.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    if draft:
        take_draft(network, data, draft, proposals)
    with torch.inference_mode():
        show(model.generate(data, prompts, **options), run, single=len(prompts) * options.get("samples", 1) <= 1)
    return 0


class Parser(argparse.ArgumentParser):
    """Its errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; `dive generate RECIPE --help` shows the options of its model")


def base_parser() -> Parser:
    parser = Parser(
        prog="dive generate", allow_abbrev=False, add_help=False, description="What a trained model generates."
    )
    parser.add_argument("--run", help="the folder of a run instead of the recipe's newest")
    parser.add_argument("--ckpt_path", default="best", help="best (default), last, or a file")
    parser.add_argument(
        "--draft", default="", metavar="RECIPE", help="a recipe or run folder whose model proposes tokens"
    )
    parser.add_argument(
        "--draft_tokens", type=int, default=4, metavar="K", help="how many it proposes at once (default 4)"
    )
    parser.add_argument(
        "--prompt", action="extend", nargs="+", default=[], metavar="TEXT", help="what to continue, or to translate"
    )
    return parser


def add_options(parser: argparse.ArgumentParser, generate: Any) -> None:
    """The keyword-only parameters of a model's ``generate`` as options, with the help from its docstring. ``class_`` is
    the option ``--class``, a word that Python keeps for itself.
    """
    from docstring_parser import parse

    said = {entry.arg_name: entry.description or "" for entry in parse(inspect.getdoc(generate) or "").params}
    for name, p in inspect.signature(generate).parameters.items():
        if p.kind is not p.KEYWORD_ONLY:
            continue
        many = get_origin(p.annotation) is Sequence or p.annotation in (list, tuple)
        help_text = " ".join(said.get(name, "").split()) + ("" if many else f" (default {p.default})")
        kind = {"metavar": "TEXT", "action": "extend", "nargs": "+", "default": []} if many else {"default": p.default}
        choices = get_args(p.annotation) if str(p.annotation).startswith("typing.Literal") else None
        if p.annotation is bool:
            kind |= {"action": argparse.BooleanOptionalAction}
        elif not many:
            kind |= {"type": type(p.default) if choices or p.annotation is inspect.Parameter.empty else p.annotation}
            kind |= {"choices": choices} if choices else {"metavar": name.rstrip("_").upper()}
        parser.add_argument(f"--{name.rstrip('_')}", dest=name, help=help_text.replace("%", "%%"), **kind)  # type: ignore[arg-type]


def guard_prompts(argv: list[str]) -> list[str]:
    """``--prompt -one -two`` as ``--prompt=-one --prompt=-two``: argparse reads a text that begins with a dash as an
    option. The same for ``--stop``.
    """
    words: list[str] = []
    option = ""
    for word in argv:
        if option and word.startswith("-") and not word.startswith("--") and word != "-h":
            if words[-1] == option:
                words.pop()  # its values are written with it
            words.append(f"{option}={word}")
            continue
        if word.startswith("--"):
            option = word if word in ("--prompt", "--stop") else ""
        elif words and words[-1].startswith(f"{option}=") and option:
            words.append(option)  # further texts after one that began with a dash
        words.append(word)
    return words


def unescape(text: str) -> str:
    """``\\n`` and ``\\t`` typed as two characters become a new line and a tab; a doubled backslash stays one."""
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\t", "\t") for part in parts)


def load(options: argparse.Namespace) -> tuple[Any, Any, Path]:
    """The model with its trained weights, the datamodule with the run's vocabulary, the run folder."""
    from scripts.front.arguments import resolve
    from scripts.front.restored import restore

    words = [options.recipe] if options.recipe else []
    words += ["--run", options.run] if options.run else []
    found = resolve("test", [*words, "--ckpt_path", options.ckpt_path])
    run, checkpoint = found.run, found.checkpoint
    if run is None or checkpoint is None:
        raise UserError(f"{options.ckpt_path} lies in no run folder: say --run DIR")
    model, data = restore(run, checkpoint)
    if isinstance(model, Generates) and not (run / "processor.json").is_file():
        raise UserError(f"{run} has no processor.json: generation needs what it keeps of the data")
    return model, data, run


def take_draft(model: Any, data: Any, name: str, proposals: int) -> None:
    """Lets the model of another run propose tokens to ``model``.

    Args:
        model, data: The run that generates.
        name: The recipe, or the folder of a run, of the draft.
        proposals: How many tokens the draft proposes at once.

    Raises:
        UserError: One of the two is no language model, or their vocabularies differ.
    """
    from lit_models.tasks.language_model import LanguageModel
    from lit_models.tasks.text_generation import Draft

    if proposals < 1:
        raise UserError(f"--draft_tokens is {proposals}: give at least 1")
    folder = name if Path(name).is_dir() else ""
    other, its_data, _ = load(argparse.Namespace(recipe="" if folder else name, run=folder, ckpt_path="best"))
    for kind, where in ((model, "the model"), (other, f"--draft {name}")):
        if not isinstance(kind, LanguageModel):
            raise UserError(f"{where} is {type(kind).__name__}: a draft proposes tokens to a language model")
    if its_data.tokenizer.tokens != data.tokenizer.tokens:
        raise UserError(
            f"--draft {name} has another vocabulary ({len(its_data.tokenizer):,} tokens, the model has "
            f"{len(data.tokenizer):,}): train it with --data.tokenizer FILE, the processor.json of the model's run"
        )
    net: Any = other.net.to(model.device).eval()
    model.draft = Draft(net.for_decoding() if hasattr(net, "for_decoding") else net, proposals)


def save_files(output: Output, folder: Path) -> Iterator[Path]:
    """Saves the picture, the animation and the table of an output in a folder, under its name; yields the files."""
    stem = output.name or f"sample_{output.row}"
    folder.mkdir(exist_ok=True)
    if output.image is not None:
        output.image.save(path := folder / f"{stem}.png")
        yield path
    if output.frames:
        first, *others = output.frames
        times = [80] * len(others) + [1500]  # milliseconds; the last one stays
        first.save(path := folder / f"{stem}.gif", save_all=True, append_images=others, duration=times, loop=0)
        yield path
    if output.columns:
        with open(path := folder / f"{stem}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(output.columns)
            writer.writerows(zip(*output.columns.values(), strict=True))
        yield path


def show(outputs: Iterable[Output], run: Path, single: bool) -> None:
    """Prints texts: one as it is generated, several one after the other with their numbers. Pictures become files."""
    texts: dict[int, str] = {}
    for output in outputs:
        if output.image is not None or output.frames or output.columns:
            for path in save_files(output, run / "generated"):
                print(path)
        elif single:
            sys.stdout.write(output.text)
            sys.stdout.flush()
        texts[output.row] = texts.get(output.row, "") + output.text
    if single:
        last = "".join(texts.values())
        sys.stdout.write("" if last.endswith("\n") or not last else "\n")
        return
    lines = all(text.endswith("\n") for text in texts.values())  # such as translations: no headings
    for row in sorted(texts):
        text = texts[row].removesuffix("\n")
        sys.stdout.write(f"{text}\n" if lines else f"--- {row + 1}\n{text}\n")
