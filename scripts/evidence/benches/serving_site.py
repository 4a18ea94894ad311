"""The recommender's website over a generated catalog of any size, as a process that ``benches/serving.py`` asks.

    python -m scripts.evidence.benches.serving_site 1682 --state DIR

Films are of 64 kinds: a vector is that of its kind and as much of its own. A tenth of a million people have 20 ratings
each, of films by a Zipf law. Nothing is trained.
"""

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from lit_models.recommender.mf import LitMF
from scripts.serve.models import Loaded, Models
from scripts.serve.pages import Page, page_for
from scripts.serve.server import serve
from scripts.serve.site import Site
from scripts.verbs.serve import serve_parser

KINDS, WIDTH = 64, 16
PEOPLE, EACH = 100_000, 20
RECIPE = "recommender/mf"


def generated(items: int) -> Loaded:
    """A run of matrix factorization with so many films."""
    draw = torch.Generator().manual_seed(0)
    model = LitMF(num_users=1, num_items=items, embed_size=WIDTH, penalty=0.1)
    net: Any = model.net
    centers = torch.randn(KINDS, WIDTH, generator=draw)
    vectors = centers[torch.randint(KINDS, (items,), generator=draw)] + torch.randn(items, WIDTH, generator=draw)
    with torch.no_grad():
        net.item.weight.copy_(0.3 * vectors / 2**0.5)
        net.item_bias.weight.copy_(0.4 * torch.randn(items, 1, generator=draw))
        net.mean.fill_(3.5)
    people = min(PEOPLE, 20 * items)
    model.num_users = people
    model.positives = pairs(people, items, draw)
    names = [str(k + 1) for k in range(items)]
    titles = [f"Film {k + 1} ({1930 + k % 90})" for k in range(items)]
    data = SimpleNamespace(item_names=names, titles=titles, min_rating=1.0, max_rating=5.0)
    return Loaded(model.eval().requires_grad_(False), data, Path("runs") / RECIPE / "generated", RECIPE)


def pairs(people: int, items: int, draw: torch.Generator) -> Tensor:
    """user * items + item (N,), sorted, each once: who has which film."""
    popular = 1 / (torch.randperm(items, generator=draw) + 10.0)
    item = torch.multinomial(popular, people * EACH, replacement=True, generator=draw)
    return (torch.arange(people).repeat_interleave(EACH) * items + item).unique()


def options_of(loaded: Loaded, *words: str) -> tuple[Page, argparse.Namespace]:
    """The website's page for a run, and its parsed options."""
    page = page_for(loaded)
    parser = serve_parser()
    page.add_options(parser)
    return page, parser.parse_args([RECIPE, "--port", "0", "--writes_per_minute", "0", *words])


def site_of(loaded: Loaded, *words: str) -> Site:
    """The website, to be asked in this process."""
    page, options = options_of(loaded, *words)
    return Site(page, Models(loaded, page.refuse), options)


def main(argv: list[str]) -> int:
    """Serves until it is ended."""
    loaded = generated(int(argv[0]))
    page, options = options_of(loaded, *argv[1:])
    return serve(page, loaded, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
