"""A PostgreSQL server of one's own: a child process on a socket in a temporary folder, up in about two seconds.

The server that is installed, else Debian's packages, unpacked below a folder and not installed: apt's own simulation of
an installation says which ones are missing. Needs apt-get that reaches the packages, and a driver: ``psycopg``. The
server refuses to run as root, so as root it runs as the user nobody.

    with postgres(tmp) as url: ...      # postgresql+psycopg://tester@/postgres?host=/tmp/...
"""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SERVER = "usr/lib/postgresql/*/bin/postgres"
USER = "tester"
#: All that makes a server safe against a power cut, and that a test pays for with time.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=")


def missing_packages() -> list[str]:
    """The server's packages, and those that its installation would bring."""
    asked = subprocess.run(["apt-cache", "depends", "postgresql"], capture_output=True, text=True)
    own = re.findall(r"Depends: (postgresql-\d+)", asked.stdout)
    words = ["apt-get", "install", "-s", "-y", "--no-install-recommends", *own]
    done = subprocess.run(words, capture_output=True, text=True)
    return sorted({*own, *re.findall(r"^Inst (\S+)", done.stdout, re.MULTILINE)})


def unpack(prefix: Path) -> str:
    """Puts the server's files below ``prefix``; returns why it cannot, or an empty text."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return "no PostgreSQL, apt-get or dpkg here"
    debs = prefix / "debs"
    debs.mkdir(parents=True)
    subprocess.run(["apt-get", "update", "-qq"], capture_output=True)
    names = missing_packages()
    done = subprocess.run(["apt-get", "download", "-qq", *names], cwd=debs, capture_output=True, text=True)
    if not names or done.returncode:
        return "apt-get reaches no PostgreSQL: " + (done.stderr.strip().splitlines() or ["?"])[-1]
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, prefix], check=True)
        deb.unlink()
    return "" if list(prefix.glob(SERVER)) else "Debian's packages hold no server"


class Server:
    """A server with one database, ``postgres``, and one user.

    Args:
        folder: For data, socket and log; new.
        prefix: Below which the server's files are.
    """

    def __init__(self, folder: Path, prefix: Path) -> None:
        self.folder, self.binaries = folder, sorted(prefix.glob(SERVER))[-1].parent
        library = ":".join(str(path) for path in prefix.glob("usr/lib/*-linux-gnu"))
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGUSER": USER, "PGHOST": str(folder)}
        self.env |= {"LD_LIBRARY_PATH": library} if prefix != Path("/") else {}
        self.account: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def run(self, program: str, *words: str) -> None:
        """A program of PostgreSQL, as the server's user.

        Raises:
            RuntimeError: It failed; with its output.
        """
        options: dict[str, Any] = {"env": self.env, "cwd": self.folder, **self.account}
        with open(self.folder / f"{program}.log", "w+") as log:  # a pipe would stay open as long as the server lives
            done = subprocess.run([self.binaries / program, *words], stdout=log, stderr=log, **options)
            log.seek(0)
            if done.returncode:
                raise RuntimeError(f"{program} {' '.join(words)}: {log.read()[-500:]}")

    def start(self) -> None:
        data = str(self.folder / "data")
        self.run("initdb", "-D", data, "-U", USER, "-A", "trust", "--no-sync", "--no-instructions", "-E", "UTF8")
        options = " ".join(f"-c {fact}" for fact in (*FAST, f"unix_socket_directories={self.folder}"))
        self.run("pg_ctl", "-D", data, "-w", "-t", "120", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        with suppress(RuntimeError):  # it never came up
            self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    @property
    def url(self) -> str:
        """For SQLAlchemy, and so for Optuna."""
        return f"postgresql+psycopg://{USER}@/postgres?host={self.folder}"


@contextmanager
def postgres(unpacked: Path) -> Iterator[str]:
    """The URL of a server that lives as long as the block; skips the test, with the reason, where there can be none.

    Args:
        unpacked: A new folder, for Debian's packages where no server is installed.
    """
    if find_spec("psycopg") is None:
        pytest.skip("no driver of PostgreSQL: pip install 'psycopg[binary]'")
    prefix = Path("/")
    if not list(prefix.glob(SERVER)):
        prefix = unpacked
        if why := unpack(prefix):
            pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="dive-postgres-", dir="/tmp") as name:  # another user must reach it
        server = Server(Path(name), prefix)
        try:
            server.start()
            yield server.url
        finally:
            server.stop()
