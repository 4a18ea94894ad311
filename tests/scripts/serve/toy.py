"""A page of a few lines, and sites of it without a trained model: what every page shares is tested on it."""

import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from common.messages import UserError
from scripts.serve.app import create_app
from scripts.serve.models import Loaded, Models
from scripts.serve.pages import HERE, Page
from scripts.serve.site import Site
from scripts.verbs.serve import serve_parser

TITLE, ACCEPTS = "Toy", "a toy"
NAVIGATION = (("/", "Home"),)
TOKEN = "a token that nobody guesses"  # of the administrator


def accepts(loaded: Loaded) -> bool:
    return loaded.model == "toy"


def prepare(loaded: Loaded) -> str:
    return f"prepared {loaded.run.name}"


def router(site: Site) -> APIRouter:
    routes = APIRouter()

    @routes.get("/")
    def home(request: Request) -> Response:
        return site.render(request, "error.html", message="hello <b>", title="Toy", number=1)

    @routes.get("/slow")
    def slow() -> str:
        site.options.until.wait(20)
        return "late"

    @routes.get("/breaks")
    def breaks() -> None:
        raise RuntimeError("a secret detail")

    @routes.get("/user_error")
    def user_error() -> None:
        raise UserError("the input is wrong: correct it")

    @routes.get("/run")
    def run() -> str:
        before = site.models.current
        if site.options.pause:
            time.sleep(site.options.pause)
        return f"{before.run.name} {before.prepared}"

    @routes.post("/say")
    def say(word: Annotated[str, Form(max_length=20)]) -> str:
        return word

    @routes.post("/api/say")
    def say_json(body: dict[str, str]) -> dict[str, Any]:
        return {"said": body}

    return routes


def toy_page() -> Page:
    module = ModuleType("toy")
    module.__file__ = str(HERE / "toy" / "page.py")
    for name in ("TITLE", "ACCEPTS", "NAVIGATION", "accepts", "prepare", "router"):
        setattr(module, name, globals()[name])
    return Page(module)


def toy_run(name: str = "first", model: Any = "toy") -> Loaded:
    return Loaded(model, SimpleNamespace(), Path("runs/toy/toy") / name, "toy/toy")


def toy_site(state: Path, *words: str, **options: Any) -> Site:
    page = toy_page()
    given = serve_parser().parse_args(["toy/toy", "--state", str(state), *words])
    vars(given).update({"pause": 0.0, **options})
    return Site(page, Models(toy_run(), page.refuse, prepare), given)


def toy_app(state: Path, *words: str, **options: Any) -> Any:
    return create_app(toy_site(state, *words, **options))
