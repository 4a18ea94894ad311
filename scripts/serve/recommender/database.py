"""The database: SQLite with a write-ahead log, or PostgreSQL by its address; brought to the newest schema at the start.

SQLite: a change begins with the lock (``BEGIN IMMEDIATE``), so that two processes wait for each other and never fail in
the middle; ``synchronous=FULL`` puts an acknowledged rating on the disk before the response. PostgreSQL does so too;
there the changes of one person wait for each other (``people.hold``), and what all processes do first (``alone``).
"""

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from common.messages import UserError

MIGRATIONS = Path(__file__).parent / "migrations"
WAITS = 10_000  # milliseconds for another process' change
LOCK = 1818  # any number


def open_database(url: str) -> Engine:
    """Connects, and makes the tables or brings them to the newest schema.

    Raises:
        UserError: The address is wrong, the file is no database, or the schema is newer than this program.
    """
    try:
        remote = not url.startswith("sqlite")  # a connection to a server may have been cut
        engine = create_engine(url, pool_size=16, max_overflow=16, pool_pre_ping=remote)
        if engine.dialect.name == "sqlite":
            prepare_sqlite(engine)
        with writing(engine).begin() as connection:
            migrate(connection, shown(url))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        needs = "pip install -e '.[postgresql]'" if url.startswith("postgresql") else "give one as sqlite:///FILE"
        raise UserError(f"--database {shown(url)}: {first_line(error)}; {needs}") from None
    except DBAPIError as error:
        reason = first_line(error.orig or error)
        raise UserError(f"the database {shown(url)} cannot be opened: {reason}") from None
    return engine


def writing(engine: Engine) -> Engine:
    """The same database for changes."""
    return engine.execution_options(changes=True)


def alone(connection: Connection) -> None:
    """Lets no other process in that asks for the same, until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def prepare_sqlite(engine: Engine) -> None:
    """Settings of each connection."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for setting in (f"busy_timeout={WAITS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("changes") else "BEGIN")


def migrate(connection: Connection, name: str) -> None:
    """Runs the migrations that are missing, in the connection's transaction.

    Raises:
        UserError: The database has a schema that this program does not know.
    """
    alone(connection)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    now = MigrationContext.configure(connection).get_current_heads()
    if unknown := set(now) - known:
        raise UserError(
            f"the database {name} has the schema {sorted(unknown)[0]}, this program knows up to {max(known)}: it was "
            "used by a newer version; use that one, or another --state DIR"
        )

    def upgrade(revision: Any, context: Any) -> Any:
        return scripts._upgrade_revs("head", revision)

    with EnvironmentContext(config, scripts, fn=upgrade) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()


def shown(url: str) -> str:
    """An address without its password."""
    head, at, tail = url.rpartition("@")
    return f"{head.rpartition(':')[0]}:***@{tail}" if at else url


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
