"""The head file: one signed head per group commit, outside the database, one JSON line each.

Copy its last line elsewhere from time to time (``oncorespond audit verify --head FILE``): whoever can write both the
database and this file can cut the log's end off both, and only a head kept elsewhere shows that.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from serving.audit.chain import Head
from serving.audit.refusals import AuditDamaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

HEADS_VARIABLE = "ORP_AUDIT_HEADS"
DEFAULT_FILE = "audit-heads.jsonl"


def heads_file(url: URL) -> Path:
    """Return the head file: ``$ORP_AUDIT_HEADS``, beside a SQLite database, or ``audit-heads.jsonl`` here."""
    if named := os.environ.get(HEADS_VARIABLE):
        return Path(named)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).with_suffix(".heads.jsonl")
    return Path(DEFAULT_FILE)


@dataclass
class HeadFile:
    """Appends heads; what could not be appended is kept and appended with the next.

    A line is written by one call on a file opened for appending, so several processes may share the file.
    """

    path: Path
    waiting: list[Head] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def append(self, head: Head) -> bool:
        """Append a head; return False, and keep it, when the file takes no writes now."""
        with self._lock:
            self.waiting.append(head)
        return self.flush()

    def flush(self) -> bool:
        """Append what is kept; return whether nothing is kept any more."""
        with self._lock:
            lines = "".join(one.to_json() + "\n" for one in self.waiting).encode()
            try:
                whole = self._write(lines)
            except OSError:
                return False
            if not whole:
                return False
            self.waiting.clear()
            return True

    def _write(self, lines: bytes) -> bool:
        """Write lines at the end, behind a line end should a crash have left none; return whether all was written."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                lines = b"\n" + lines
            return os.write(descriptor, lines) == len(lines)
        finally:
            os.close(descriptor)


def read_heads(path: Path) -> Iterator[Head]:
    """Yield the heads of a file, in its order; a line cut short by a crash is passed over.

    Raises
    ------
    AuditDamaged
        When a line is not a head.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.rstrip().endswith("}"):
                continue
            try:
                yield Head(**json.loads(line))
            except (ValueError, TypeError):
                raise AuditDamaged(f"line {number} is not a head", record=path.name) from None
