"""``dive backtranslate RECIPE --texts FILE``: makes training pairs of texts that exist in the target language only.

    dive fit translation/en_swa --data.direction into_english
    dive backtranslate translation/en_swa --texts news.sw --output synthetic.tsv
    dive fit translation/en_swa --data.synthetic synthetic.tsv
    dive backtranslate translation/cldr --texts names.sw --into "<2en>" --tag "<2sw>" --output synthetic.tsv

Sennrich et al. 2016; Caswell et al. 2019, "Tagged back-translation". A trained model of the other direction translates
each line; its output is the source of a pair whose target is the line. ``<BT>`` before the source says that a machine
wrote it, so that the new model does not learn the errors as if they were the language. A model of several languages
needs the tag that its sources begin with (``--into``), and so may the new model (``--tag``).
"""

from pathlib import Path
from typing import Any

from common.messages import UserError, note
from scripts.front.option_parser import OptionParser

BATCHES = 50  # of texts of like lengths, after which the pairs are written


def main(argv: list[str]) -> int:
    """Writes the pairs; returns 0."""
    parser = make_parser()
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip() + "\n\n" + parser.format_help())
        return 0
    given = parser.parse_args(argv)
    if not given.recipe and not given.run:
        raise UserError("which recipe? `dive backtranslate RECIPE --texts FILE`")
    if not given.texts:
        raise UserError("which texts? --texts FILE, one text a line, in the language that is to be translated into")
    if given.beam < 1 or given.rows < 1:
        raise UserError(f"--beam {given.beam} --rows {given.rows}: give at least 1")
    import torch

    from datamodules.parallel_text.tags import BACK
    from datamodules.text.files import read_text
    from lit_models.tasks.seq2seq import Seq2Seq
    from scripts.front.arguments import new_file
    from scripts.verbs.generate import load

    output = Path(new_file(given.output, "--output"))
    part = Path(new_file(f"{given.output}.part", "--output"))

    lines = [" ".join(line.split()) for line in read_text(given.texts, "texts").split("\n")]
    lines = [line for line in lines if line]
    if not lines:
        raise UserError(f"{given.texts} has no text")
    model, data, run = load(given)
    if not isinstance(model, Seq2Seq):
        raise UserError(f"{run} is a run of {type(model).__name__}, which does not translate")
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    model.beam_width = given.beam
    before = " ".join(filter(None, ["" if given.untagged else BACK, given.tag]))
    pairs = 0
    with part.open("x", encoding="utf-8") as file:  # what an interrupted command has translated stays there
        for start in range(0, len(lines), block := BATCHES * given.rows):
            some = lines[start : start + block]
            sources = translated(model, data, [f"{given.into} {line}".strip() for line in some], given.rows)
            both = zip(sources, some, strict=True)
            rows = [f"{before} {source}".strip() + f"\t{line}\n" for source, line in both if source]
            file.writelines(rows)
            file.flush()
            pairs += len(rows)
    if pairs < len(lines):
        note(f"{len(lines) - pairs} of {len(lines)} lines have an empty translation and are left out")
    if not pairs:
        part.unlink()
        raise UserError(f"{run} translates no line of {given.texts}")
    part.rename(output)
    print(f"{pairs:,} pairs in {given.output}: --data.synthetic {given.output}")
    return 0


def make_parser() -> OptionParser:
    parser = OptionParser(prog="dive backtranslate", add_help=False)
    parser.add_argument("recipe", nargs="?", default="", metavar="RECIPE")
    parser.add_argument("--run", help="the folder of a run instead of the recipe's newest")
    parser.add_argument("--ckpt_path", default="best", help="best (default), last, or a file")
    parser.add_argument("--texts", default="", metavar="FILE", help="one text a line")
    parser.add_argument("--output", default="synthetic.tsv", metavar="FILE", help="where the pairs are written")
    parser.add_argument("--into", default="", metavar="TAG", help="put before each text for the model, such as <2en>")
    parser.add_argument("--tag", default="", metavar="TAG", help="put before each written source, such as <2sw>")
    parser.add_argument("--untagged", action="store_true", help="no <BT> before the sources (Sennrich et al. 2016)")
    parser.add_argument("--beam", type=int, default=1, help="beams; 1 is greedy (default)")
    parser.add_argument("--rows", type=int, default=64, help="texts that are translated at once (default 64)")
    return parser


def translated(model: Any, data: Any, texts: list[str], rows: int) -> list[str]:
    """The translation of each text, on one line. Texts of like lengths are translated together, ``rows`` at once."""
    import torch

    cut = [len(data.source_tokenizer.encode(data.normalize(text))) + 1 for text in texts]
    if long := sum(length > data.max_length for length in cut):
        note(f"{long} of {len(texts)} lines are longer than the {data.max_length} tokens of training")
    order = sorted(range(len(texts)), key=cut.__getitem__)
    found = [""] * len(texts)
    with torch.inference_mode():
        for start in range(0, len(order), rows):
            numbers = order[start : start + rows]
            source, length = (t.to(model.device) for t in data.encode_source([texts[i] for i in numbers]))
            for i, text in zip(numbers, data.decode_target(model.outputs(source, length)), strict=True):
                found[i] = " ".join(text.split())
    return found
