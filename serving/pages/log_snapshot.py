"""The sealed snapshot: the columns on disk beside the log, so that a start need not read a million records again.

One file, encrypted under a key of its own that the data key wraps, bound to the log by the number and hash of its last
record. It is derived: when it is absent, of another log, of another version or damaged, the log is read anew.
"""

from __future__ import annotations

import base64
import io
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from features.errors import Refusal
from serving.audit.sealing import seal, unseal, unwrap
from serving.audit.tables import RECORDS
from serving.pages.contribution_cube import ContributionCube
from serving.pages.log_columns import LogColumns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.audit.database import Database
    from serving.audit.keys import AuditKeys

FORMAT = "oncorespond log columns 1"
"""Of the file; a change of the columns makes it 2, and older files are read no more."""


def arrays_of(columns: LogColumns, cube: ContributionCube) -> dict[str, NDArray[Any]]:
    """Return a copy of everything, to be written while the log goes on being read."""
    return {name: np.array(values) for name, values in {**columns.stored(), **cube.stored()}.items()}


def write_snapshot(path: Path, arrays: Mapping[str, NDArray[Any]], keys: AuditKeys) -> None:
    """Write columns and cube, readable by whoever has the data keys; the old file stands until the new one is whole."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    sealed = seal(content.getvalue(), FORMAT.encode(), keys)
    head = {"format": FORMAT, "key_id": sealed.key_id, "wrapped": base64.b64encode(sealed.wrapped).decode()}
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        target.write(json.dumps(head).encode() + b"\n")
        target.write(sealed.payload)
    partial.replace(path)


def read_snapshot(path: Path, database: Database, keys: AuditKeys) -> tuple[LogColumns, ContributionCube] | None:
    """Return the columns and cube of a snapshot; None when it cannot be used for this log."""
    try:
        head, _, payload = path.read_bytes().partition(b"\n")
        facts = json.loads(head)
        key = unwrap(base64.b64decode(facts["wrapped"]), facts["key_id"], FORMAT.encode(), keys.data)
        content = unseal(payload, key, FORMAT.encode())
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            columns, cube = LogColumns.restored(arrays), ContributionCube.restored(arrays)
    except (OSError, ValueError, KeyError, Refusal):
        return None
    return (columns, cube) if _of_this_log(columns, database) else None


def _of_this_log(columns: LogColumns, database: Database) -> bool:
    """Return whether the log still holds what these columns were made of, from its first record to their last."""
    with database.reading() as connection:
        last = connection.execute(sa.select(RECORDS.c.hash).where(RECORDS.c.seq == columns.covered)).scalar()
        first = connection.execute(sa.select(sa.func.min(RECORDS.c.seq))).scalar()
    return last == columns.last_hash and (columns.n == 0 or int(first or 0) <= int(columns["seq"][0]))
