"""``dive``: the one command of the project. ``dive --help`` lists its verbs, ``dive VERB --help`` explains one.

This front uses the standard library only: `dive`, `dive list` and most errors work without importing torch. A verb
is a file of ``scripts/verbs`` (``scripts/front/verbs.py`` finds it); `fit`, `validate`, `test` and `predict` go to one
LightningCLI (``scripts/front/lightning_cli.py``). `python -m scripts.cli fit --config FILE` is the same path.

Exit codes: 0 done; 1 training failed; 2 an error in the command, a config or the data; 130, 143 and 129 stopped by
Ctrl-C, SIGTERM or a closed terminal.
"""

import os
import sys
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from common.messages import UserError, did_you_mean, note
from scripts.front import help
from scripts.front.signals import ending_on_signals
from scripts.front.slurm import REQUEUED, requeue, requeueing_on_usr1, wait_for_requeue
from scripts.front.verbs import EVIDENCE, LIGHTNING, find_verbs, verb_lines

SLOW = ("describe", "ensemble", "export", "generate", "play", "serve")  # verbs that import torch

PAGE = """dive: deep learning recipes on PyTorch Lightning.

{verbs}

A RECIPE is a name of `dive list` (cnn/lenet, or lenet alone) or a YAML file of your own. `dive VERB --help` explains a
verb; `dive fit RECIPE --help` shows the recipe's own options with their values; `dive --version` what is installed.
DIVE_RUNS is the folder of the runs (default: runs), DIVE_DATA that of the downloads (default: ~/.cache/dive).

Exit codes: 0 done; 1 training failed; 2 an error in the command, a config or the data; 130, 143, 129 stopped by
Ctrl-C, SIGTERM or a closed terminal."""


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; an error of the user is one line on stderr."""
    argv = sys.argv[1:] if argv is None else argv
    parent = os.getppid()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows ? instead of failing
    try:
        with requeueing_on_usr1(), ending_on_signals(at_once=True):  # until a command begins its work and handles them
            done = dispatch(argv)
        sys.stdout.flush()
        return done
    except SystemExit as end:
        if getattr(end, "requeue", False):
            requeue()
        elif end.code == REQUEUED:
            wait_for_requeue()
        raise
    except BrokenPipeError:  # `dive list | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        ends_with: int | None = getattr(error, "exit_code", None)
        if ends_with is None or os.environ.get("DIVE_DEBUG"):  # DIVE_DEBUG=1 shows the trace of an error
            raise
        if os.environ.get("LOCAL_RANK", "0") != "0":
            if getattr(error, "on_all_ranks", False):
                return 0  # the first process prints the error and returns the code
            if said_by(parent):
                return int(ends_with)
        text = " ".join(str(error).split()).removeprefix("dive ")  # "dive results needs ..." names the program itself
        print(f"dive: {text}", file=sys.stderr)
        return int(ends_with)


def said_by(parent: int) -> bool:
    """Whether the process that started this one also ends within three seconds; it has then printed the reason."""
    for _ in range(30):
        if os.getppid() != parent:
            return True
        time.sleep(0.1)
    return False


def dispatch(argv: list[str]) -> int:
    """Passes a command to its verb; returns the exit code.

    Raises:
        UserError: There is no such verb.
    """
    verb, rest = (argv[0], argv[1:]) if argv else ("", [])
    if verb in ("", "-h", "--help", "help"):
        print(PAGE.format(verbs=verb_lines()))
        return 0
    if verb == "--version":
        print(f"dive {own_version()}")
        return 0
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # its warnings are stack traces; errors come as exceptions
    if verb in LIGHTNING and help.wanted(rest):
        return help.show(verb, rest)
    if verb in LIGHTNING:
        from scripts.front.arguments import resolve
        from scripts.front.working_directory import add_working_directory

        add_working_directory()
        command = resolve(verb, rest)
        sign_of_life(argv)
        from scripts.front.lightning_cli import launch

        return launch(command)
    found = find_verbs()
    if verb in found:
        if verb in SLOW:
            sign_of_life(argv)
        tool = import_module(found[verb].module)
        with ending_on_signals():
            return int(tool.main(rest))
    if verb in EVIDENCE:
        raise UserError(f"`dive {verb}` is the project's own evidence and needs a checkout: this dive is installed")
    known = (*LIGHTNING, *found)
    raise UserError(f"no command {verb!r}{did_you_mean(verb, known) or ': see dive --help'}")


def sign_of_life(argv: list[str]) -> None:
    """Says what is going on before torch and Lightning are imported, which takes seconds."""
    if "torch" not in sys.modules and not {"-h", "--help"} & set(argv):
        note(f"dive {' '.join(argv[:2])}: loading PyTorch and Lightning ...")


def own_version() -> str:
    """The version that is installed."""
    try:
        return version("dive")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
