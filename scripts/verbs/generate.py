"""``dive generate RECIPE --prompt TEXT``: what a trained language model or translator writes.

    dive generate RECIPE --prompt "The class" --temperature 0.8 --max_tokens 300
    dive generate rnn/bahdanau --prompt "<sw> Monday, March 5, 2018" --beam 4 --n_best 3

A language model's text streams as it is written; several prompts, or ``--samples``, are written as one batch. A
translator answers each prompt by greedy search or a beam. The newest run of the recipe is taken, or ``--run DIR``.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.messages import UserError


def main(argv: list[str]) -> int:
    """Loads a run's model and writes; returns 0."""
    options = parse(argv)
    import torch

    model, data, run = load(options)
    from lit_models.attention.gpt import GPT
    from lit_models.attention.gpt_writer import GPTWriter
    from lit_models.tasks.language_model import LanguageModel
    from lit_models.tasks.seq2seq import Seq2Seq

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).eval()
    if isinstance(model.net, GPT):
        model.net = GPTWriter(model.net)
    with torch.inference_mode():
        if isinstance(model, LanguageModel) and getattr(data, "tokenizer", None) is not None:
            continue_texts(model, data.tokenizer, options, device)
        elif isinstance(model, Seq2Seq) and hasattr(data, "encode_source"):
            answer(model, data, options, device)
        else:
            raise UserError(f"{run} is a run of {type(model).__name__}, which writes no text")
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dive generate", allow_abbrev=False, description="Write with a trained model."
    )
    parser.add_argument("recipe", nargs="?", default="", metavar="RECIPE")
    parser.add_argument("--run", help="the folder of a run instead of the recipe's newest")
    parser.add_argument("--ckpt_path", default="best", help="best (default), last, or a file")
    parser.add_argument(
        "--prompt", action="extend", nargs="+", default=[], metavar="TEXT", help="what to go on from, or to translate"
    )
    parser.add_argument("--max_tokens", type=int, default=200, help="most tokens to write (default 200)")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy (default 0.8)")
    parser.add_argument("--top_k", type=int, default=0, help="only the k best tokens; 0: all")
    parser.add_argument("--top_p", type=float, default=1.0, help="only the best tokens that reach this probability")
    parser.add_argument("--min_p", type=float, default=0.0, help="only tokens this share as probable as the best")
    parser.add_argument("--repetition_penalty", type=float, default=1.0, help="above 1: less of what was written")
    parser.add_argument(
        "--stop", action="extend", nargs="+", default=[], metavar="TEXT", help="texts that end the writing"
    )
    parser.add_argument("--samples", type=int, default=1, help="texts for each prompt, in one batch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--beam", type=int, default=1, help="beams of a translator; 1 is greedy")
    parser.add_argument("--n_best", type=int, default=1, help="answers of a translator to each prompt")
    options = parser.parse_args(argv)
    if not options.recipe and not options.run:
        raise UserError('which recipe? `dive generate RECIPE --prompt "..."`')
    for name in ("max_tokens", "samples", "beam", "n_best"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name} is {getattr(options, name)}: give at least 1")
    if options.n_best > options.beam:
        raise UserError(f"--n_best {options.n_best} needs --beam {options.n_best} or more")
    return options


def load(options: argparse.Namespace) -> tuple[Any, Any, Path]:
    """The model with its trained weights, the datamodule with the run's vocabulary, the run folder."""
    from scripts.front.arguments import resolve
    from scripts.front.build import build
    from scripts.front.checkpoints import check_checkpoint

    words = [options.recipe] if options.recipe else []
    words += ["--run", options.run] if options.run else []
    found = resolve("test", [*words, "--ckpt_path", options.ckpt_path])
    run, checkpoint = found.run, found.checkpoint
    if run is None or checkpoint is None:
        raise UserError(f"{options.ckpt_path} lies in no run folder: say --run DIR")
    processor = run / "processor.json"
    if not processor.is_file():
        raise UserError(f"{run} has no processor.json: its data says nothing about texts")
    _, model, data = build(["--config", str(run / "config.yaml")])
    name = f"{type(model).__module__}.{type(model).__name__}"
    model.load_state_dict(check_checkpoint(checkpoint, name, {})["state_dict"])
    data.load_processor(json.loads(processor.read_text(encoding="utf-8")))  # type: ignore[union-attr]
    return model, data, run


# -- language models --------------------------------------------------------------------------------------------------


def continue_texts(model: Any, tokenizer: Any, options: argparse.Namespace, device: Any) -> None:
    """Writes on from each prompt; one text streams, several are printed when all are done."""
    import torch

    prompts = [text for text in options.prompt or ["\n"] for _ in range(options.samples)]
    rows = [encode_prompt(model, tokenizer, text) for text in prompts]
    if len({len(row) for row in rows}) > 1:  # prompts of different lengths have no common state
        for text in prompts:
            alone = argparse.Namespace(**{**vars(options), "prompt": [text], "samples": 1})
            continue_texts(model, tokenizer, alone, device)
        return
    ids = torch.tensor(rows, device=device)
    generator = torch.Generator(device).manual_seed(options.seed)
    silent = [i for i, token in enumerate(tokenizer.tokens) if token in tokenizer.specials or token[:7] == "<unused"]
    words = model.write(ids, options.max_tokens, sampling_of(options), (), generator, silent)
    if len(rows) == 1:
        write_out(prompts[0])
        shown = text = ""
        written: list[int] = []
        for token in words:
            written.append(int(token[0]))
            text, ended = cut(tokenizer.decode(rows[0] + written)[len(tokenizer.decode(rows[0])) :], options.stop)
            sure = text if ended else text[: len(text) - held_back(text, options.stop)]
            write_out(sure[len(shown) :])
            shown = sure
            if ended:
                break
        else:
            write_out(text[len(shown) :])
        write_out("\n")
        return
    columns = torch.stack(list(words), dim=1).tolist()
    for number, (prompt, row, new) in enumerate(zip(prompts, rows, columns, strict=True), 1):
        text, _ = cut(tokenizer.decode(row + new)[len(tokenizer.decode(row)) :], options.stop)
        print(f"--- {number}\n{prompt}{text}")


def encode_prompt(model: Any, tokenizer: Any, text: str) -> list[int]:
    """The ids of a prompt.

    Raises:
        UserError: Nothing in it, something the model never met, or more than its context.
    """
    prepared = tokenizer.prepare(text)
    ids: list[int] = tokenizer.encode(text)
    if unknown := unknown_pieces(tokenizer, prepared):
        raise UserError(f"the prompt has {unknown[0]!r}, which the model never met in training; write it otherwise")
    if not ids:
        raise UserError("the prompt has no token in it: give --prompt some text")
    context = getattr(model.net, "context", 0)
    if context and len(ids) > context:
        raise UserError(f"the prompt has {len(ids)} tokens, but the model's context is {context}: shorten it")
    return ids


def unknown_pieces(tokenizer: Any, prepared: str) -> list[str]:
    """What a prepared text has that the vocabulary has not; byte pairs have everything."""
    if tokenizer.kind == "bpe":
        return []
    return [piece for piece in tokenizer.cut(prepared) if piece not in tokenizer.ids]


def sampling_of(options: argparse.Namespace) -> Any:
    from lit_models.functional.decoding import Sampling

    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    try:
        return Sampling(**{name: getattr(options, name) for name in names})
    except ValueError as error:
        raise UserError(f"--{error}") from None


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """A text up to the first of the stop texts, and whether there is one."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


def held_back(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end of a streamed text may still change: the beginning of a stop text, or a character
    whose bytes are not all there yet.
    """
    begun = [n for stop in stops for n in range(1, len(stop)) if text.endswith(stop[:n])]
    return max([*begun, len(text) - len(text.rstrip("\ufffd"))])


def write_out(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


# -- translators ------------------------------------------------------------------------------------------------------


def answer(model: Any, data: Any, options: argparse.Namespace, device: Any) -> None:
    """Prints the answer to each prompt, or its n best with their scores (log P / L^alpha)."""
    import torch

    if not options.prompt:
        raise UserError("what is to be translated? --prompt TEXT")
    for text in options.prompt:
        prepared = data.source_tokenizer.prepare(data.normalise(text))
        if unknown := unknown_pieces(data.source_tokenizer, prepared):
            print(f"note: {unknown[0]!r} is unknown to the model", file=sys.stderr)
        if len(data.source_tokenizer.encode(prepared)) + 1 > data.max_length:
            raise UserError(
                f"{text!r} has more than the {data.max_length} tokens the model was trained for: shorten it"
            )
    source, length = (t.to(device) for t in data.encode_source(options.prompt))
    most = min(options.max_tokens, model.max_length)
    if options.beam == 1:
        for text, written in zip(options.prompt, data.decode_target(model.write(source, length, most)), strict=True):
            print(f"{text} => {written}")
        return
    found = model.hypotheses(source, length, options.beam, options.n_best, most)
    for text, n_best in zip(options.prompt, found, strict=True):
        print(f"{text} =>")
        for hypothesis in n_best:
            print(f"  {hypothesis.score:8.3f}  {data.decode_target(torch.tensor([hypothesis.tokens]))[0]}")
