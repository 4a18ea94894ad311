"""``dive``: the one command of the project.

    dive list [topic]                          the recipes
    dive describe RECIPE                       parameters, multiply-adds, data, expected number
    dive fit RECIPE [-c PRESET] [--key value]  train; --resume goes on with the newest run, to the batch
    dive validate | test | predict RECIPE      the best checkpoint of the newest run; --run DIR, --ckpt_path FILE
    dive generate RECIPE --prompt TEXT         what a trained language model or translator writes
    dive ensemble RECIPE                       one run for each fold of a table, the mean of their predictions
    dive export RECIPE                         safetensors and a torch.export graph of the best checkpoint
    dive verify | results | bench              the project's own proofs: PARITY.md, RESULTS.md, speed

This front is standard library alone: `dive`, `dive list` and most mistakes are answered without importing torch.
Everything else goes to one LightningCLI (``scripts/lightning_cli.py``); `python -m scripts.cli fit --config FILE` is
the same path.

Exit codes: 0 done; 1 training failed; 2 an error in the command, a config or the data; 130, 143 and 129 stopped by
Ctrl-C, SIGTERM or a closed terminal.
"""

import os
import sys
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from common.messages import UserError, did_you_mean
from scripts.signals import ending_on_signals

LIGHTNING = ("fit", "validate", "test", "predict")
TOOLS = {
    "describe": "scripts.describe",
    "generate": "scripts.generate",
    "ensemble": "scripts.ensemble",
    "verify": "scripts.verify",
    "results": "scripts.results",
    "bench": "scripts.bench",
    "export": "scripts.export",
}
VERBS = ("list", *LIGHTNING, *TOOLS)


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; a mistake is one line on stderr."""
    argv = sys.argv[1:] if argv is None else argv
    parent = os.getppid()
    try:
        with ending_on_signals(at_once=True):  # until a command begins its work, which ends as it must
            return dispatch(argv)
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if code is None or os.environ.get("DIVE_DEBUG"):  # DIVE_DEBUG=1 shows the trace of a mistake
            raise
        if os.environ.get("LOCAL_RANK", "0") != "0":
            if getattr(error, "on_all_ranks", False):
                return 0  # the first process says it and ends with the code
            if said_by(parent):
                return int(code)
        print(f"dive: {' '.join(str(error).split())}", file=sys.stderr)
        return int(code)


def said_by(parent: int) -> bool:
    """Whether the process that started this one ends too within three seconds: it then said why."""
    for _ in range(30):
        if os.getppid() != parent:
            return True
        time.sleep(0.1)
    return False


def dispatch(argv: list[str]) -> int:
    verb, rest = (argv[0], argv[1:]) if argv else ("", [])
    if verb in ("", "-h", "--help", "help"):
        print((__doc__ or "").strip())
        return 0
    if verb == "--version":
        print(f"dive {own_version()}")
        return 0
    if verb == "list":
        return list_recipes(rest)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # its warnings are stack traces; errors come as exceptions
    if verb in LIGHTNING:
        from scripts.arguments import add_working_directory, resolve

        add_working_directory()
        command = resolve(verb, rest)
        from scripts.lightning_cli import launch

        return launch(command)
    if verb in TOOLS:
        tool = import_module(TOOLS[verb])
        with ending_on_signals():
            return int(tool.main(rest))
    raise UserError(f"no command {verb!r}{did_you_mean(verb, VERBS) or ': see dive --help'}")


def list_recipes(topics: list[str]) -> int:
    """Prints name, plan item, section, data and expected number of each recipe, of one topic or of all."""
    from scripts.recipes import all_recipes

    recipes = all_recipes()
    known = sorted({r.name.split("/")[0] for r in recipes})
    for topic in topics:
        if topic not in known:
            raise UserError(f"no topic {topic!r}{did_you_mean(topic, known) or ': ' + ', '.join(known)}")
    chosen = [r for r in recipes if not topics or r.name.split("/")[0] in topics]
    width = max(len(r.name) for r in chosen)
    for recipe in chosen:
        head = recipe.head
        facts = [f"plan {head['plan']}" if "plan" in head else "", head.get("section", ""), head.get("data", "")]
        print(f"{recipe.name:<{width}}  {recipe.title}")
        print(f"{'':<{width}}    {'; '.join(f for f in facts if f)}; {head.get('expect', 'no number promised')}")
    return 0


def own_version() -> str:
    try:
        return version("dive")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
