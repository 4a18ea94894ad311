"""Models whose taste is known without training: a film's vector is its genre. And sites of them."""

from functools import cache
from pathlib import Path
from typing import Any

import torch

from datamodules.ratings.planted_films import GENRES, PlantedFilms
from lit_models.recommender.ease import LitEASE
from lit_models.recommender.mf import LitMF
from scripts.serve.app import create_app
from scripts.serve.models import Loaded, Models
from scripts.serve.pages import page_for
from scripts.serve.site import Site
from scripts.verbs.serve import serve_parser

USERS, ITEMS = 120, 96
SCRIPT = '<script>alert(1)</script> & "Friends" (1999)'


@cache
def planted_data() -> Any:
    data = PlantedFilms(num_users=USERS, num_items=ITEMS, feedback="explicit", split="random")
    data.setup("fit")
    data.titles[0] = SCRIPT  # whatever a catalog holds
    return data


def planted_run(kind: str = "mf", name: str = "first") -> Loaded:
    """A run of ``mf`` or ``ease``."""
    data = planted_data()
    sizes = {"num_users": USERS, "num_items": ITEMS}
    model: Any = LitMF(**sizes, embed_size=len(GENRES)) if kind == "mf" else LitEASE(**sizes)
    model.positives = data.positives
    with torch.no_grad():
        if kind == "mf":
            model.net.item.weight.copy_(torch.nn.functional.one_hot(data.genres, len(GENRES)))
        else:
            model.net.weight.copy_(model.solve())
    run = Path("runs") / "recommender" / kind / name
    return Loaded(model.eval().requires_grad_(False), data, run, f"recommender/{kind}")


def planted_site(state: Path, *words: str, kind: str = "mf") -> Site:
    loaded = planted_run(kind)
    page = page_for(loaded)
    parser = serve_parser()
    page.add_options(parser)
    options = parser.parse_args([loaded.recipe, "--state", str(state), "--writes_per_minute", "0", *words])
    return Site(page, Models(loaded, page.refuse), options)


def planted_app(state: Path, *words: str, kind: str = "mf") -> Any:
    return create_app(planted_site(state, *words, kind=kind))
