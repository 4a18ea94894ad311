"""What every request of a site may use: the model, the options, the templates, the secret, the metrics."""

import argparse
import os
import secrets
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.responses import HTMLResponse

from common.messages import UserError
from scripts.front.runs import runs_root
from scripts.serve.models import Models
from scripts.serve.pages import HERE, Page
from scripts.serve.rates import Rates

ATTEMPTS = 20  # per minute, of an address, at the administrator's token
MOMENTS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)  # seconds


class Metrics:
    """Counters of this process, in the text form of Prometheus at ``/metrics``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ("method", "route", "status")
        self.requests = Counter("dive_requests", "Requests that had their response.", names, registry=self.registry)
        self.seconds = Histogram(
            "dive_seconds", "Seconds until a response begins.", ("route",), buckets=MOMENTS, registry=self.registry
        )
        self.in_progress = Gauge("dive_in_progress", "Requests that are worked on or wait.", registry=self.registry)
        self.swaps = Gauge("dive_swaps", "How often another run was put in place.", registry=self.registry)


class Site:
    """A site: one page, one model, one folder of what it keeps.

    Args:
        page: The page.
        models: The run that is served.
        options: The parsed command.
    """

    def __init__(self, page: Page, models: Models, options: argparse.Namespace) -> None:
        self.page, self.models, self.options = page, models, options
        self.state = state_folder(options.state, models.current.recipe)
        self.secret = read_secret(self.state / "secret")
        self.attempts = Rates(ATTEMPTS)  # of the form and of the header, on all routes
        self.metrics = Metrics()
        self.metrics.swaps.set_function(lambda: models.swaps)
        folders = [FileSystemLoader(folder / "templates") for folder in (page.folder, HERE)]
        self.templates = Environment(
            loader=ChoiceLoader(folders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """A template as a response; it sees ``request``, ``page``, ``csrf`` (a hidden field's value), the context."""
        from scripts.serve.csrf import keep, token_of

        shown = {"navigation": self.page.navigation, **context}
        text = self.templates.get_template(template).render(
            request=request, page=self.page, csrf=token_of(request, self.secret), **shown
        )
        response = HTMLResponse(text, status)
        keep(request, response)
        return response


def state_folder(given: str, recipe: str) -> Path:
    """The folder of what a site keeps: the one that was given, or ``$DIVE_RUNS/serve/RECIPE``, which is made.

    Raises:
        UserError: The given one does not exist, or nothing can be written there.
    """
    folder = Path(given) if given else runs_root() / "serve" / recipe
    if given and not folder.is_dir():
        raise UserError(f"--state {given}: there is no such folder; make it, or leave --state out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror}; --state DIR names another place") from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder} cannot be written: --state DIR names another place")
    return folder


def read_secret(path: Path) -> bytes:
    """The key of the site's tokens: made once, readable by its owner only, the same for all its processes."""
    try:
        new = path.with_name(f"secret.{os.getpid()}")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(new, path)  # whole or not at all, and the first process wins
        except FileExistsError:
            pass
        finally:
            new.unlink()
        found = bytes.fromhex(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read or made ({error}): remove it, or give another --state DIR") from None
    if len(found) < 16:
        raise UserError(f"{path} is too short for a secret: remove it")
    return found
