"""Tags before a source: the language that is wanted (``<2sw>``), and what was translated by a machine (``<BT>``).

Johnson et al. 2017, "Google's multilingual neural machine translation system"; Caswell et al. 2019, "Tagged
back-translation". Where a source has both, ``<BT>`` is first.
"""

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from common.messages import UserError

BACK = "<BT>"
TAG = re.compile(rf"(?:{BACK} )?(<2[^\s<>]+>)")


def tag_of(source: str) -> str:
    """The tag of the language that is wanted; empty without one."""
    found = TAG.match(source)
    return found[1] if found else ""


def tags_of(sources: Iterable[str]) -> list[str]:
    """The different tags, sorted; none where a source has none."""
    found = {tag_of(source) for source in sources}
    return [] if "" in found else sorted(found)


def groups_of(sources: Sequence[str]) -> Tensor:
    """The number of each source's tag (N,), int64."""
    names = {tag: k for k, tag in enumerate(sorted({tag_of(source) for source in sources}))}
    return torch.tensor([names[tag_of(source)] for source in sources])


def check_tag(source: str, tags: Sequence[str]) -> None:
    """Refuses a source whose tag the model was not trained with.

    Raises:
        UserError: The line names the tags.
    """
    if tags and (tag := tag_of(source)) not in tags:
        wrong = f"the tag {tag}, which the model does not know" if tag else "no tag of a language"
        raise UserError(f"{source[:60]!r} has {wrong}: begin with one of {', '.join(tags)}")


def without_tags(source: str) -> str:
    """A source without what stands before its text."""
    found = TAG.match(source)
    return source[found.end() :].removeprefix(" ") if found else source.removeprefix(f"{BACK} ")
