"""A PostgreSQL server on the loopback: the installed one, or Debian's, which apt-get downloads and nothing installs.

As root it runs as another user, since it refuses root. It is gone with its folder.
"""

import getpass
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import warm

NOT_DURABLE = ("-c", "fsync=off", "-c", "full_page_writes=off")  # the machine itself is not switched off


def installed() -> Path | None:
    """The newest server's programs, where Debian puts them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


def unpack(prefix: Path) -> str:
    """Puts the server and what it needs below ``prefix``; returns why it cannot, or an empty text."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return "no apt-get or dpkg here"
    debs = prefix / "debs"
    debs.mkdir(parents=True)
    subprocess.run(["apt-get", "update", "-qq"], capture_output=True)
    depends = subprocess.run(["apt-cache", "depends", "postgresql"], capture_output=True, text=True).stdout
    server = re.search(r"Depends: (postgresql-\d+)$", depends, re.MULTILINE)
    if not server:
        return "apt-cache knows no PostgreSQL"
    words = ["apt-get", "-s", "install", "--no-install-recommends", server[1]]
    planned = subprocess.run(words, capture_output=True, text=True).stdout
    names = {*re.findall(r"^Inst (\S+)", planned, re.MULTILINE), server[1], "libpq5"}
    done = subprocess.run(["apt-get", "download", "-qq", *sorted(names)], cwd=debs, capture_output=True, text=True)
    if done.returncode:
        return "apt-get reaches no PostgreSQL: " + (done.stderr.strip().splitlines() or ["?"])[-1]
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, prefix], check=True)
    return ""


class Postgres:
    """A running server.

    Args:
        folder: For its data, owned by who runs it.
        programs: Where ``initdb`` and ``postgres`` are.
        libraries: Where their libraries are, besides the system's.
    """

    def __init__(self, folder: Path, programs: Path, libraries: str = "") -> None:
        self.folder, self.programs = folder, programs
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C", **({"LD_LIBRARY_PATH": libraries} if libraries else {})}
        self.user: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self.port, self.count = warm.free_port(), 0
        data = ["-D", str(folder / "data")]
        options = ["-A", "trust", "-U", "dive", "--no-locale", "-E", "UTF8", "--no-sync"]
        done = subprocess.run([programs / "initdb", *data, *options], capture_output=True, text=True, **self.how)
        assert done.returncode == 0, done.stderr
        listens = ["-p", str(self.port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", *NOT_DURABLE]
        self.process = subprocess.Popen(
            [programs / "postgres", *data, *listens], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **self.how
        )

    @property
    def how(self) -> dict[str, Any]:
        """Of each process."""
        return {"env": self.env, "cwd": self.folder, **self.user}

    def connect(self, database: str = "postgres") -> Any:
        """A connection of its own."""
        import psycopg

        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=dive dbname={database}", autocommit=True)

    def until_it_answers(self) -> None:
        """Waits for the first connection."""
        import psycopg

        end = time.monotonic() + warm.SECONDS
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None and time.monotonic() < end
                time.sleep(0.05)  # asks again

    def new_database(self) -> str:
        """The address of an empty database."""
        self.count += 1
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE site{self.count}")
        return f"postgresql://dive@127.0.0.1:{self.port}/site{self.count}"

    def stop(self) -> None:
        self.process.send_signal(2)  # SIGINT: fast shutdown
        self.process.communicate(timeout=60)


@contextmanager
def postgres() -> Iterator[Postgres | str]:
    """A server, or why there is none."""
    folder = Path(tempfile.mkdtemp(prefix=f"dive-postgres-{getpass.getuser()}-"))
    folder.chmod(0o755)
    data = folder / "server"
    data.mkdir()
    try:
        programs, libraries = installed(), ""
        if programs is None or os.environ.get("DIVE_POSTGRES") == "download":
            if why := unpack(folder / "prefix"):
                yield why
                return
            programs = next((folder / "prefix").glob("usr/lib/postgresql/*/bin"))
            libraries = ":".join(str(path) for path in (folder / "prefix").glob("usr/lib/*-linux-gnu*"))
        server = Postgres(data, programs, libraries)
        try:
            server.until_it_answers()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
