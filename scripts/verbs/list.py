"""``dive list [TOPIC]``: the recipes, of one topic or of all."""

from common.messages import UserError, did_you_mean
from scripts.front.recipes import all_recipes


def main(argv: list[str]) -> int:
    """Prints name, plan item, section, data and threshold of each recipe."""
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    recipes = all_recipes()
    known = sorted({r.name.split("/")[0] for r in recipes})
    for topic in argv:
        if topic not in known:
            raise UserError(f"no topic {topic!r}{did_you_mean(topic, known) or ': ' + ', '.join(known)}")
    chosen = [r for r in recipes if not argv or r.name.split("/")[0] in argv]
    width = max(len(r.name) for r in chosen)
    for recipe in chosen:
        print(f"{recipe.name:<{width}}  {recipe.title}")
    return 0
