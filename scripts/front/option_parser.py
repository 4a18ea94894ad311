"""A parser of a verb's own options, whose errors are one line and suggest the right option."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from common.messages import UserError, did_you_mean


class OptionParser(argparse.ArgumentParser):
    """``argparse.ArgumentParser`` whose errors are ``UserError``; options are not to be abbreviated.

    Args:
        prog: ``dive VERB``.
        **settings: Of ``ArgumentParser``.
    """

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog=prog, allow_abbrev=False, **settings)

    def parse_args(self, args: Sequence[str], namespace: Any = None) -> Any:  # type: ignore[override]
        """The options.

        Raises:
            UserError: An option or a word that the verb does not have, or a value that cannot be.
        """
        options, others = self.parse_known_args(args, namespace)
        self.refuse(others)
        return options

    def refuse(self, words: Sequence[str]) -> None:
        """Refuses the first of the words that the parser does not know, if there are any.

        Raises:
            UserError: Suggests an option of the parser.
        """
        if not words:
            return
        word = next((word for word in words if word.startswith("-")), words[0]).partition("=")[0]
        known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        kind = "option" if word.startswith("-") else "word"
        raise UserError(f"unknown {kind} {word}{did_you_mean(word, known) or f': see `{self.prog} --help`'}")

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`")
