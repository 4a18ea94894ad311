"""jsonargparse's error messages, made into one line that names the key and what would be right.

jsonargparse gives text and no structure, so the key, class and value are cut out of its wording; tests pin each wording.
"""

import re
from collections.abc import Iterable

from scripts.mistakes import did_you_mean


def explain(message: str, known: Iterable[str]) -> str:
    """One line for a parser's message. ``known`` are all keys of the parser, for suggestions."""
    known = [k.replace(".init_args.", ".") for k in known]
    text = " ".join(message.split())
    if found := re.search(r"unrecognized arguments: (--\S+)", text, re.I) or re.search(
        r"unrecognized arguments: (.*)", text, re.I
    ):
        key = found[1].split("=")[0].split()[0].lstrip("-").replace(".init_args.", ".")
        return f"unknown option --{key}{did_you_mean(key, known)}"
    if found := re.search(r"Option '([^']+)' is not accepted", text) or re.search(
        r"does not accept (?:nested key|option) '([^']+)'", text
    ):
        key = found[1].replace("init_args.", "")
        tail = key.rsplit(".", 1)[-1]
        near = did_you_mean(key, known) if "." in key else did_you_mean(tail, {k.rsplit(".", 1)[-1] for k in known})
        return f"unknown key {key!r}{near}"
    if found := re.search(r"module '([\w.]+)' has no attribute '(\w+)'", text):
        return f"no class {found[2]!r} in {found[1]}{did_you_mean(found[2], class_names(found[1]))}"
    if found := re.search(r"No module named '([\w.]+)'", text):
        return f"no module {found[1]!r}: is the class_path right?"
    key = ""
    if found := re.search(r'(?:Parser key|key|argument) "?\'?(?:--)?([\w.]+)"?\'?[:]', text):
        key = found[1].replace(".init_args.", ".")
    if found := re.search(r"Expected a <class '(\w+)'>.{0,3}(?: Got value:| Given value:)? ?(.*)$", text):
        value = re.search(r"(?:Given value|Got value): (\S+)", text)
        return f"{key or 'a value'} must be of type {found[1]}" + (f", not {value[1]!r}" if value else "")
    if found := re.search(r"(?:Given value type: \S+|Given value: (\S+))", text):
        return f"{key or 'a value'}: {text[:200]}"
    return text[:240]


def class_names(module: str) -> list[str]:
    """Names that a loaded module defines; nothing for one that was not imported."""
    import sys

    return [name for name in dir(sys.modules.get(module)) if name[:1].isupper()] if module in sys.modules else []
