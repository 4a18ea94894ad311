"""``dive serve RUN``: a trained model as a website on this machine.

    dive serve recommender/mf                      the newest run of a recipe: http://127.0.0.1:8000
    dive serve runs/recommender/mf/DIR             a run
    dive serve recommender/mf --host 0.0.0.0       for other machines too
    dive serve rwkv/chat                           a language model: questions and answers
    dive serve recommender/mf --help               with the options of this run's page

The run decides the page. Ctrl-C or SIGTERM ends: requests in progress are finished first. ``DIVE_ADMIN_TOKEN``, 16
letters or more, opens ``/admin`` to whoever knows it: the newest run can be put in place without a stop. Behind a proxy
with TLS on the same machine, cookies are Secure by its ``X-Forwarded-Proto``.
"""

import os
from argparse import ArgumentTypeError
from typing import NoReturn

from common.messages import UserError
from scripts.front.option_parser import OptionParser

THREADS = max(2, min(4, os.cpu_count() or 1))  # Python runs one of them at a time: more of them take turns, at a cost
NEEDED = ("fastapi", "uvicorn", "jinja2", "python_multipart", "prometheus_client", "sqlalchemy", "alembic", "argon2")


def main(argv: list[str]) -> int:
    """Serves until it is stopped; returns 0."""
    parser = serve_parser()
    known, others = parser.parse_known_args(argv)
    if argv and argv[0] in others:
        parser.refuse(argv[:1])  # its value would be taken for the run
    wants_help = known.help
    if not known.what:
        if wants_help:
            print((__doc__ or "").strip() + "\n\n" + parser.format_help())
            return 0
        raise UserError("which run? `dive serve RUN`, for example `dive serve recommender/mf`")
    refuse_missing_packages()
    from scripts.serve.models import load_run
    from scripts.serve.pages import page_for
    from scripts.serve.server import serve

    loaded = load_run(known.what, known.ckpt_path)
    page = page_for(loaded)
    page.add_options(parser)
    if wants_help:
        print(parser.format_help())
        return 0
    return serve(page, loaded, parser.parse_args(argv))


def refuse_missing_packages() -> None:
    """One line where the extra ``serve`` is not installed."""
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(f"serve needs {', '.join(missing)}, which this environment lacks: pip install -e '.[serve]'")


class Parser(OptionParser):
    """Its errors are one line, and name the help that has the page's options."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; `dive serve RUN --help` shows the options")


def serve_parser() -> Parser:
    """The options that every page has."""
    parser = Parser(prog="dive serve", add_help=False)
    parser.add_argument("what", nargs="?", default="", metavar="RUN", help="a recipe, or the folder of a run")
    parser.add_argument("-h", "--help", action="store_true", help="show this")
    parser.add_argument("--ckpt_path", default="best", help="best (default), last, or a file")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=port, default=8000, help="port (default 8000; 0 takes a free one)")
    parser.add_argument("--state", default="", metavar="DIR", help="what the site keeps (default $DIVE_RUNS/serve/RUN)")
    parser.add_argument(
        "--threads", type=positive, default=THREADS, help="requests that are worked on at once (default: cores, 2 to 4)"
    )
    parser.add_argument("--queue", type=positive, default=64, help="requests that wait; others get 429 (default 64)")
    parser.add_argument("--timeout", type=positive, default=30, help="seconds until a response begins (default 30)")
    parser.add_argument(
        "--writes_per_minute",
        type=not_negative,
        default=240,
        help="most changes of an address per minute (default 240; 0: any)",
    )
    return parser


def port(text: str) -> int:
    """A port number."""
    number = int(text)
    if not 0 <= number < 65536:
        raise ValueError
    return number


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def not_negative(text: str) -> int:
    """A whole number from 0 on."""
    number = int(text)
    if number < 0:
        raise ArgumentTypeError(f"{number} is negative: give 0, for any number, or more")
    return number
