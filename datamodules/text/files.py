"""Text files: read as UTF-8, with the position of a byte that is not UTF-8 in the error."""

from pathlib import Path

from common.messages import UserError


def read_text(path: str | Path, option: str = "data.path") -> str:
    """The text of a UTF-8 file with ``\\n`` as every line ending, without a byte-order mark.

    Raises:
        UserError: No such file, a folder, another encoding, or an empty file.
    """
    if not str(path):
        raise UserError(f"{option} is not given: --{option} FILE.txt names your text")
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
        raise UserError(f"{path} is not UTF-8 text: byte {raw[at]:#04x} at offset {at}; save it as UTF-8") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise UserError(f"{path} is empty: give a file with text")
    return text


def split_text(text: str, val_fraction: float, test_fraction: float) -> dict[str, str]:
    """Splits a text into training, validation and test part, in this order; at line ends where there are any."""
    if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
        raise UserError(
            f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
        )
    cuts = [round(len(text) * end) for end in (1 - val_fraction - test_fraction, 1 - test_fraction)]
    cuts = [end + 1 if 0 <= (end := text.find("\n", cut)) < cut + 1000 else cut for cut in cuts]
    return {"train": text[: cuts[0]], "val": text[cuts[0] : cuts[1]], "test": text[cuts[1] :]}
