"""Public files: downloaded once over https, checked by sha256, put in place by one rename, unpacked safely.

``pooch`` does the transfer, the checksum and the atomic rename (it downloads to a temporary file in the same folder). A
file that is already in place is used as it is, so on a cluster without network it is enough to copy the files there.
"""

import errno
import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import pooch

from common.messages import UserError

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)  # errors for which another address would not help


def data_root() -> str:
    """Where public data sets are kept: ``$DIVE_DATA``, by default ``~/.cache/dive``."""
    return os.environ.get("DIVE_DATA") or os.path.join(os.path.expanduser("~"), ".cache", "dive")


def fetch(urls: str | list[str], sha256: str, path: str) -> Path:
    """Returns the local file ``$DIVE_DATA/path``, downloaded from the first address that works if it is not there.

    Args:
        urls: One address or several mirrors, https.
        sha256: Expected digest, checked after the download; a file with another digest is never put in place.
        path: Where the file belongs, relative to ``$DIVE_DATA``.

    Raises:
        UserError: No address worked, or the digest differs.
    """
    target = Path(data_root()) / path
    if target.is_file():
        return target
    urls = [urls] if isinstance(urls, str) else urls
    reasons = []
    for url in urls:
        if not url.startswith("https://"):
            raise ValueError(f"{url}: only https is used")
        try:
            pooch.get_logger().setLevel("WARNING")
            pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=target.name, path=target.parent)
            return target
        except Exception as error:  # requests, urllib3 and pooch raise many kinds; each means: try the next address
            if getattr(error, "errno", None) in DISK:
                raise UserError(f"cannot write {target}: {os.strerror(error.errno)}") from None  # type: ignore[attr-defined]
            wrong = "hash" in str(error)
            reasons.append("its checksum is wrong" if wrong else f"no response ({type(error).__name__})")
    raise UserError(
        f"cannot download {urls[-1]}: {reasons[-1]}. Without network, put the file at {target} "
        "(DIVE_DATA sets the folder)"
    )


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks a zip or tar into ``folder`` and returns it. Nothing is written outside of ``folder``, and each file
    appears there complete: a kill leaves a folder ``.unpacking-*``, never half a file.

    Raises:
        UserError: A member would leave the folder, the archive is damaged, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as name:
            unpack_into(archive, Path(name))
            for path in sorted(Path(name).rglob("*")):
                if path.is_file():
                    target = folder / path.relative_to(name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(path, target)
    except tarfile.FilterError as error:
        raise UserError(f"{archive}: {error}; not unpacked") from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno in DISK:
            raise UserError(f"cannot unpack {archive} into {folder}: {os.strerror(error.errno or 0)}") from None
        raise UserError(f"{archive} is damaged ({error}): delete it and run again") from None
    return folder


def unpack_into(archive: Path, folder: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as package:
            for member in package.namelist():
                if not (folder / member).resolve().is_relative_to(folder.resolve()):
                    raise UserError(
                        f"{archive}: member {member!r} would be written outside of its folder; not unpacked"
                    )
            package.extractall(folder)
    else:
        with tarfile.open(archive) as package:
            package.extractall(folder, filter="data")  # refuses absolute paths, paths with .., links and devices
