"""The database of the audit log: SQLite or PostgreSQL, its migrations, and one writer at a time across processes."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from serving.audit.refusals import AuditUnavailable, NoLogHere, SchemaOutdated

if TYPE_CHECKING:
    from collections.abc import Iterator

URL_VARIABLE = "ORP_DATABASE_URL"
DEFAULT_URL = "sqlite:///audit/audit.db"

REVISION = "0001"
"""Schema revision that this code writes."""

MIGRATIONS = Path(__file__).parent / "migrations"

LONGEST_WAIT_S = 10.0
"""Seconds that one process waits for another's turn to write; then the answer is refused with 503."""

BETWEEN_TRIES_S = 0.0003
"""Seconds between two tries for the turn: a fraction of one fsync."""

LEAST_ROOM = 16 * 2**20
"""Bytes free on SQLite's disk before the log is called ready: a batch of 1,000 answers takes about 11 MB."""

ADVISORY_LOCK = 0x6F6E636F
"""PostgreSQL's advisory lock of the log ("onco")."""


def database_url(given: str | None = None) -> URL:
    """Return the address of the database: the one given, ``$ORP_DATABASE_URL``, or ``audit/audit.db`` here.

    Examples
    --------
    >>> database_url("postgresql://log@db/audit").drivername
    'postgresql+psycopg'
    """
    url = make_url(given or os.environ.get(URL_VARIABLE) or DEFAULT_URL)
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise AuditUnavailable(f"{url.get_backend_name()} cannot hold the audit log", allowed=["sqlite", "postgresql"])
    if url.get_backend_name() == "sqlite" and not url.database:
        raise AuditUnavailable("a log in memory is lost with the process", way_out="Name a file: sqlite:///audit.db")
    return url


@dataclass
class Database:
    """One engine, and the turn to write.

    Attributes
    ----------
    engine
        SQLAlchemy's; readers use it directly.
    lock_file
        SQLite: held while writing, because its own lock is polled at up to 100 ms; None for PostgreSQL.
    """

    engine: sa.Engine
    lock_file: Path | None = None
    _lock: Any = field(default=None, repr=False)

    @classmethod
    def open(cls, given: str | None = None, migrate: bool = True) -> Database:
        """Connect, and bring an older or empty database to this revision.

        Raises
        ------
        AuditUnavailable
            When it cannot be reached.
        NoLogHere
            When it may not be made and its file is not there; nothing is created then.
        SchemaOutdated
            When it is of another revision and may not, or cannot, be migrated.
        """
        url = database_url(given)
        sqlite = url.get_backend_name() == "sqlite"
        path = Path(url.database or "")
        if sqlite and not migrate and not path.is_file():
            raise NoLogHere(
                f"there is no audit log at {path}",
                way_out=f"Name its database in ${URL_VARIABLE} or with --database, or go where the service runs.",
            )
        if sqlite:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = cls(_engine(url), path.with_name(path.name + ".lock") if sqlite else None)
        with unavailable("opened"):
            with database._turn(), database.engine.connect():
                pass  # the first connection to a new SQLite file sets its journal mode, which two must not do at once
            database._at_revision(migrate)
        return database

    def _at_revision(self, migrate: bool) -> None:
        if self._revision() == REVISION:
            return
        if migrate:
            self.migrate()
        if (seen := self._revision()) != REVISION:
            raise SchemaOutdated(
                f"the audit database has schema {seen}, this version writes {REVISION}",
                way_out="Run `oncorespond audit migrate` as the owner of the database.",
            )

    def _revision(self) -> str | None:
        with self.engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()

    def migrate(self) -> None:
        """Run alembic's migrations, one process at a time."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give the one transaction that may write now, in this and every other process; committed at the end."""
        with self._turn(), self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            if self.lock_file is None:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection whose statements see one state of the log."""
        with unavailable("read"), self.engine.connect() as connection:
            if self.lock_file is None:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self.lock_file is None:
            yield
            return
        with self.lock_file.open("ab") as held:
            _wait_for(held.fileno())
            yield  # closing the file gives the lock back, and so does the death of the process

    def forget(self) -> None:
        """Let no copy of deleted keys lie in SQLite's write-ahead log; PostgreSQL's is the site's to expire."""
        if self.lock_file is not None:
            with unavailable("written"), self.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def has_room(self) -> bool:
        """Tell whether SQLite's disk has room for a batch of answers; PostgreSQL's is not seen from here.

        One small row still fits where an answer does not, so that a trial write alone would call a full disk writable.
        """
        if self.lock_file is None:
            return True
        disk = os.statvfs(self.lock_file.parent)
        return disk.f_bavail * disk.f_frsize >= LEAST_ROOM

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _wait_for(descriptor: int) -> None:
    until = time.monotonic() + LONGEST_WAIT_S
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > until:
            raise AuditUnavailable(f"another process has held the audit log for {LONGEST_WAIT_S:g} s")
        time.sleep(BETWEEN_TRIES_S)


@contextmanager
def unavailable(doing: str) -> Iterator[None]:
    """Turn the database's errors into AuditUnavailable; their texts, which may hold values, are left out."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        raise AuditUnavailable(
            f"the audit log cannot be {doing} ({kind})",
            way_out="See that the database is up and its disk has room; nothing was answered.",
        ) from None


def _engine(url: URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": LONGEST_WAIT_S, "check_same_thread": False})
        sa.event.listen(engine, "connect", _sqlite_settings)
        sa.event.listen(engine, "begin", _sqlite_begin)
        return engine
    waits = f"-c lock_timeout={int(LONGEST_WAIT_S * 1000)} -c statement_timeout=30000"
    return sa.create_engine(url, pool_pre_ping=True, connect_args={"options": waits, "connect_timeout": 5})


def _sqlite_settings(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {setting}")


def _sqlite_begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
