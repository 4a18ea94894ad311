"""``dive lambada RUN_OR_PTH``: how often a language model knows the last word of a passage.

    dive lambada RWKV-x070-0.1B.pth                 OpenAI's 5,153 passages, downloaded on first use
    dive lambada attention/gpt --passages mine.jsonl

The model is named as for ``dive chat``. Each line of ``--passages`` is ``{"text": "..."}``. Prints accuracy and
perplexity of the last word (``lit_models/functional/last_word.py``).
"""

import json
from pathlib import Path

from common.messages import UserError
from scripts.verbs.chat import chat_parser, conversation

URL = "https://raw.githubusercontent.com/BlinkDL/ChatRWKV/main/misc/lambada_test.jsonl"
SHA256 = "4aa8d02cd17c719165fc8a7887fddd641f43fcafa4b1c806ca8abc31fabdb226"


def main(argv: list[str]) -> int:
    """Scores a model; returns 0."""
    parser = chat_parser("dive lambada")
    parser.add_argument("--passages", default="", metavar="FILE", help="a line of JSON for each passage")
    parser.add_argument("--limit", type=int, default=0, help="only the first passages (default 0: all)")
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    given = parser.parse_args(argv)
    from lit_models.functional.last_word import last_word_scores

    talk = conversation(given)
    texts = passages(given.passages)[: given.limit or None]
    begin = [0] if talk.tokenizer.kind == "world" else []  # the end of the text before
    accuracy, perplexity = last_word_scores(talk.net_decode, talk.tokenizer.encode, texts, begin, talk.device)
    print(f"last word: accuracy {accuracy:.4f}, perplexity {perplexity:.2f} ({len(texts):,} passages)")
    return 0


def passages(path: str) -> list[str]:
    """The texts of a file of JSON lines.

    Raises:
        UserError: It is missing or of another form.
    """
    if not path:
        from datamodules.downloads import fetch

        path = str(fetch(URL, SHA256, "rwkv/lambada_test.jsonl"))
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
        return [str(json.loads(line)["text"]) for line in lines if line.strip()]
    except OSError:
        raise UserError(f"there is no file {path}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f'{path} is not a file of passages: each line is {{"text": "..."}}') from None
