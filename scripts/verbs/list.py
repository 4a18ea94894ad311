"""``dive list [TOPIC | NUMBER]``: the recipes by item of the study plan, with title and threshold.

    dive list            all of them
    dive list rnn        those of a topic
    dive list 12         those of an item of the plan

The threshold is the number that three seeds reach; `dive describe RECIPE` shows details of one.
"""

from textwrap import shorten

from common.messages import UserError, did_you_mean
from scripts.front.plan import items
from scripts.front.recipes import Recipe, all_recipes

TITLE = 56  # letters of a title that are shown


def main(argv: list[str]) -> int:
    """Prints the recipes; returns 0.

    Raises:
        UserError: There is no such topic or item.
    """
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    recipes = all_recipes()
    titles = {str(item.number): item.title for item in items()}
    topics = sorted({recipe.topic for recipe in recipes})
    for word in argv:
        if word not in topics and word not in titles:
            raise UserError(f"no topic {word!r}{did_you_mean(word, topics) or ': ' + ', '.join(topics)}")
    chosen = [r for r in recipes if not argv or r.topic in argv or r.header.get("plan") in argv]
    width = max((len(recipe.name) for recipe in chosen), default=0)
    for number in [*titles, ""]:
        found = [r for r in chosen if (r.header.get("plan", "") if r.header.get("plan") in titles else "") == number]
        if found:
            print(f"{number}. {titles[number]}" if number else "not in the plan")
            print("\n".join(line(recipe, width) for recipe in found) + "\n")
    if not chosen:
        print(f"no recipe of {' '.join(argv)} yet")
    return 0


def line(recipe: Recipe, width: int) -> str:
    """A recipe in one line."""
    title = shorten(recipe.title, TITLE, placeholder=" ...")
    return f"  {recipe.name:<{width}}  {title:<{TITLE}}  {recipe.header.get('threshold', '')}".rstrip()
