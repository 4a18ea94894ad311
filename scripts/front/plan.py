"""The study plan, read from ``configs/plan.yaml``: topics in order, items, headline recipes."""

from dataclasses import dataclass, field
from functools import cache

import yaml

from scripts.front.recipes import CONFIGS


@dataclass(frozen=True)
class Headline:
    """An item's headline in the README: a recipe and a metric of it, or a command."""

    says: str
    recipe: str = ""
    metric: str = ""
    command: str = ""


@dataclass(frozen=True)
class Item:
    """One of the plan's twenty items. ``pages`` are those of ``docs/``: of its topics, if no others are named."""

    number: int
    title: str
    topics: list[str]
    pages: list[str]
    headlines: list[Headline] = field(default_factory=list)


@cache
def topics() -> tuple[str, ...]:
    """The topics, folders of ``lit_models``, in the order in which they may import from each other."""
    return tuple(yaml.safe_load((CONFIGS / "plan.yaml").read_text(encoding="utf-8"))["topics"])


@cache
def items() -> tuple[Item, ...]:
    """The items in order."""
    content = yaml.safe_load((CONFIGS / "plan.yaml").read_text(encoding="utf-8"))["items"]
    return tuple(
        Item(
            number,
            item["title"],
            item["topics"],
            item.get("pages", item["topics"]),
            [Headline(**line) for line in item.get("headlines", [])],
        )
        for number, item in content.items()
    )


def topic_rank(topic: str) -> tuple[int, str]:
    """A sort key for topics: the plan's order, topics outside the plan at the end."""
    known = topics()
    return (known.index(topic) if topic in known else len(known), topic)
