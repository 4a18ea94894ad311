"""Text files: read whole as UTF-8, with the place of what is no UTF-8."""

from pathlib import Path

from common.messages import UserError


def read_text(path: str | Path, option: str = "data.path") -> str:
    """The text of a UTF-8 file with ``\\n`` for every end of line, without a byte-order mark.

    Raises:
        UserError: No such file, a folder, another encoding (says the byte), or nothing in it.
    """
    if not str(path):
        raise UserError(f"which text? --{option} FILE.txt")
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"no file {path}: give --{option} a text file") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start + (3 if raw.startswith(b"\xef\xbb\xbf") else 0)
        raise UserError(f"{path} is no UTF-8 text: byte {raw[at]:#04x} at offset {at}; save it as UTF-8") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise UserError(f"{path} is empty")
    return text


def split_text(text: str, val_share: float, test_share: float) -> dict[str, str]:
    """The beginning of a text for training, then validation, then test: cut at ends of lines where there are any."""
    if min(val_share, test_share) < 0 or val_share + test_share >= 1:
        raise UserError(f"data.val_share {val_share} and data.test_share {test_share} leave nothing to train on")
    cuts = [round(len(text) * share) for share in (1 - val_share - test_share, 1 - test_share)]
    cuts = [end + 1 if 0 <= (end := text.find("\n", cut)) < cut + 1000 else cut for cut in cuts]
    return {"train": text[: cuts[0]], "val": text[cuts[0] : cuts[1]], "test": text[cuts[1] :]}
