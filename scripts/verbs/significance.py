"""``dive significance RUN RUN...``: whether other runs translate better than the first, or by chance.

    dive significance translation/en_zul runs/translation/en_zul/TIME
    dive significance translation/en_zul translation/en_five      only the pairs that both tests have, tags aside

A run is its folder, or a recipe, of which the newest is taken. Each translates the test of the first, with its own
beams, on the first GPU if there is one. BLEU and chrF++ and their differences have intervals of 95 % by bootstrap; p is
the probability of a difference as large by chance, by the paired bootstrap (Koehn 2004), through sacreBLEU. It is about
other test sentences: how much another training differs is not in it.
"""

from pathlib import Path
from typing import Any

from common.messages import UserError, note
from scripts.front.option_parser import OptionParser
from scripts.front.working_directory import add_working_directory

Rows = dict[tuple[str, str], str]  # source without tags and reference of each pair: the source as the data has it


def main(argv: list[str]) -> int:
    """Prints a line for each run and metric; returns 0."""
    parser = OptionParser(prog="dive significance", add_help=False)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="two or more runs or recipes; the first is the baseline")
    parser.add_argument("--ckpt_path", default="best", help="best (default) or last")
    parser.add_argument(
        "--write", action="store_true", help="add a row to results/translation_gains.csv, and its table"
    )
    parser.add_argument("--rows", type=int, default=64, help="sentences that are translated at once (default 64)")
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip() + "\n\n" + parser.format_help())
        return 0
    given = parser.parse_args(argv)
    if len(given.runs) < 2:
        raise UserError("which runs? `dive significance RUN RUN`: two or more, the first is the baseline")
    if given.rows < 1:
        raise UserError(f"--rows {given.rows}: give at least 1")
    add_working_directory()
    from scripts.serve.models import load_run

    loaded = [load_run(run, given.ckpt_path) for run in given.runs]
    tests = [rows_of_test(run.model, run.data, run.run) for run in loaded]
    common = [pair for pair in tests[0] if all(pair in test for test in tests)]
    if not common:
        raise UserError(f"the tests of {' and '.join(given.runs)} have no pair in common")
    if (most := max(map(len, tests))) > len(common):
        note(f"{len(common):,} pairs are in all tests, of at most {most:,} in one")
    outputs = [
        translations(run.model, run.data, [test[pair] for pair in common], given.rows)
        for run, test in zip(loaded, tests, strict=True)
    ]
    found = show([str(run.run) for run in loaded], outputs, [reference for _, reference in common])
    if given.write:
        from scripts.evidence import gains

        first, *others = (run.run for run in loaded)
        gains.write(gains.row_of(first, run, len(common), by) for run, by in zip(others, found, strict=True))
    return 0


def rows_of_test(model: Any, data: Any, run: Path) -> Rows:
    """The pairs of a run's test.

    Raises:
        UserError: The run does not translate.
    """
    from datamodules.parallel_text.tags import without_tags
    from lit_models.tasks.seq2seq import Seq2Seq

    if not isinstance(model, Seq2Seq) or not hasattr(data, "references"):
        raise UserError(f"{run} is a run of {type(model).__name__}, which does not translate")
    data.prepare_data()
    data.setup("test")
    pairs = zip(data.sources["test"], data.references["test"], strict=True)
    return {(without_tags(source), reference): source for source, reference in pairs}


def translations(model: Any, data: Any, sources: list[str], rows: int) -> list[str]:
    """What the model writes for each source."""
    from scripts.verbs.backtranslate import translated

    model.eval()
    return translated(model, data, sources, rows)


def show(names: list[str], outputs: list[list[str]], references: list[str]) -> list[dict[str, Any]]:
    """The table, with the signature of each metric; returns the comparisons of each run with the first by metric."""
    from lit_models.functional.translation_scores import paired_bootstrap

    width = max(map(len, names))
    all_found: list[dict[str, Any]] = [{} for _ in names[1:]]
    for metric, title in (("bleu", "BLEU"), ("chrf", "chrF++")):
        for row, (name, other) in enumerate(zip(names[1:], outputs[1:], strict=True)):
            found = all_found[row][metric] = paired_bootstrap(metric, outputs[0], other, references)
            if not row:
                print(f"{title} of {len(references):,} sentences, {found.first.signature}")
                print(f"  {names[0]:{width}}  {found.first.value:5.1f} ± {found.first.interval:.1f}")
            second, gain = found.second, found.second.value - found.first.value
            print(
                f"  {name:{width}}  {second.value:5.1f} ± {second.interval:.1f}   {gain:+.1f} ± {found.half:.1f}, "
                f"p = {found.p:.3f}"
            )
    return all_found
