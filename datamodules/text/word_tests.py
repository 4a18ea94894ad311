"""Files that word vectors are tested with: pairs of words with a human score, and questions of four words."""

from pathlib import Path
from typing import Any

from common.messages import UserError
from datamodules.downloads import fetch
from datamodules.text.files import read_text

SIMILARITY = "https://raw.githubusercontent.com/mfaruqui/eval-word-vectors/94b3dd9fdbac7ed08dbee7179cd5ee464acf0594/data/word-sim/"
QUESTIONS = (
    "https://raw.githubusercontent.com/tmikolov/word2vec/20c129af10659f7c50e86e3be406df663beff438/questions-words.txt"
)
SHA256 = {
    "EN-WS-353-ALL.txt": "ce12919b240af45bdf46d243601eaca2b6212b159b5e7e9b435ee7ee40c5619c",
    "EN-MEN-TR-3k.txt": "888b13580faa362c7b11da0a670258cf1b1eb4bf0ecbcd418918729a3bd3f43a",
    "EN-SIMLEX-999.txt": "405394ffb7d25f6d0e3c041f87c9f27d29dc6b047506769953e85c4523b11685",
    "questions-words.txt": "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
}
NAMES = {"ws353": "EN-WS-353-ALL.txt", "men": "EN-MEN-TR-3k.txt", "simlex": "EN-SIMLEX-999.txt"}


def published_tests() -> dict[str, dict[str, Any]]:
    """WordSim-353, MEN and SimLex-999; the analogies of family and all of ``questions-words``; downloaded once.

    Finkelstein et al. 2002, Bruni et al. 2014, Hill et al. 2015; Mikolov et al. 2013.
    """
    pairs = {name: fetch(SIMILARITY + file, SHA256[file], f"word-sim/{file}") for name, file in NAMES.items()}
    sections = read_analogies(fetch(QUESTIONS, SHA256["questions-words.txt"], "questions-words/questions-words.txt"))
    return {
        "similarity": {name: read_similarity(path) for name, path in pairs.items()},
        "analogies": {"family": sections["family"], "questions": sections["all"]},
    }


def read_similarity(path: str | Path, option: str = "data.similarity") -> list[tuple[str, str, float]]:
    """Pairs of words with a score, ``word TAB word TAB score`` on each line; in lower case.

    Raises:
        UserError: No such file, not UTF-8, or a line that is not a pair and a number, by its number.
    """
    pairs = []
    for number, line in enumerate(read_text(path, option).splitlines(), 1):
        parts = line.lower().split()
        try:
            a, b, score = parts
            pairs.append((a, b, float(score)))
        except ValueError:
            if parts:
                raise UserError(f"{path}, line {number}: not two words and a score") from None
    return pairs


def read_analogies(path: str | Path, option: str = "data.analogies") -> dict[str, list[tuple[str, ...]]]:
    """Questions ``a b c d`` by section (``: name`` on a line of its own); in lower case.

    Raises:
        UserError: No such file, not UTF-8, or a line that is not four words, by its number.
    """
    sections: dict[str, list[tuple[str, ...]]] = {}
    questions: list[tuple[str, ...]] = sections.setdefault("all", [])
    for number, line in enumerate(read_text(path, option).splitlines(), 1):
        if line.startswith(":"):
            questions = sections.setdefault(line[1:].strip(), [])
            continue
        words = tuple(line.lower().split())
        if len(words) not in (0, 4):
            raise UserError(f"{path}, line {number}: {len(words)} words: a question has four")
        if words:
            questions.append(words)
    sections["all"] = [row for rows in sections.values() for row in rows]
    return sections
