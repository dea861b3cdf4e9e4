"""Retention: the oldest records sealed into a file that can be kept elsewhere and still verifies.

A segment ends at a signed head, so that its end needs no new trust. The file is gzipped JSON Lines, one row each,
ciphertext in base64; keys stay in the database, where a patient can still be erased. Only when the file is on disk and
its digest is signed do its rows leave ``records``; the chain then stands on the segment's last hash.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from serving.audit.chain import good_signature, sign
from serving.audit.database import unavailable
from serving.audit.disorder import Problem
from serving.audit.drafts import now
from serving.audit.reading import in_order
from serving.audit.refusals import AuditDamaged
from serving.audit.sealing import sha256_hex
from serving.audit.tables import HEADS, RECORDS, SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from serving.audit.database import Database
    from serving.audit.keys import AuditKeys
    from serving.audit.reading import Row


def seal_segment(database: Database, keys: AuditKeys, folder: Path, before: str) -> Row | None:
    """Move the records before a time into a new segment file; None when there is nothing to seal.

    Parameters
    ----------
    folder
        Where the file goes; it must not be lost.
    before
        UTC text; the segment ends with the last group commit before it.

    Raises
    ------
    AuditUnavailable
        When the database refuses; the service's own PostgreSQL role may not do this.
    """
    with database.reading() as connection:
        segments = segments_of(connection)
        start = segments[-1]["last_seq"] if segments else 0
        newest = sa.select(sa.func.max(HEADS.c.count)).where(HEADS.c.time < before, HEADS.c.count > start)
        last = connection.execute(newest).scalar()
    if last is None:
        return None
    rows = [row for block in in_order(database) for row in block if row["seq"] <= last]
    name = f"segment-{start + 1:012d}-{last:012d}.jsonl.gz"
    content = gzip.compress("".join(_line(row) for row in rows).encode(), mtime=0)
    folder.mkdir(parents=True, exist_ok=True)
    _write_durably(folder / name, content)
    segment = _signed(rows, start, name, content, keys)
    with unavailable("written"), database.writing() as connection:
        connection.execute(sa.insert(SEGMENTS), segment)
        connection.execute(sa.delete(RECORDS).where(RECORDS.c.seq <= last))
    return segment


def _signed(rows: Sequence[Row], start: int, name: str, content: bytes, keys: AuditKeys) -> dict[str, Any]:
    segment: dict[str, Any] = {
        "first_seq": start + 1,
        "last_seq": rows[-1]["seq"],
        "last_hash": rows[-1]["hash"],
        "file": name,
        "file_sha256": sha256_hex(content),
        "time": now(),
        "key_id": keys.signing_id,
    }
    return {**segment, "signature": sign(_message(segment), keys)}


def _message(segment: Mapping[str, Any]) -> bytes:
    names = ("first_seq", "last_seq", "last_hash", "file", "file_sha256", "time", "key_id")
    return ("oncorespond audit segment 1\n" + "\n".join(str(segment[name]) for name in names)).encode()


def segments_of(connection: sa.Connection) -> list[Row]:
    """Return the sealed segments, the oldest first."""
    return [dict(row) for row in connection.execute(sa.select(SEGMENTS).order_by(SEGMENTS.c.last_seq)).mappings()]


def signed_segments(segments: Sequence[Row], public: Mapping[str, Ed25519PublicKey]) -> Iterator[Problem]:
    """Yield what is wrong with the segments' own rows: a signature, or a gap between two."""
    after = 0
    for segment in segments:
        if not good_signature(public, segment["key_id"], segment["signature"], _message(segment)):
            yield Problem("segment", segment["last_seq"], f"the signature of {segment['file']} is wrong")
        if segment["first_seq"] != after + 1:
            yield Problem("segment", after + 1, f"no segment has records {after + 1} to {segment['first_seq'] - 1}")
        after = segment["last_seq"]


def archived_rows(segments: Sequence[Row], folder: Path) -> Iterator[Row]:
    """Yield the rows of all segments from their files.

    Raises
    ------
    AuditDamaged
        When a file is absent or is not the one that was sealed.
    """
    for segment in segments:
        path = folder / segment["file"]
        content = path.read_bytes() if path.is_file() else b""
        if sha256_hex(content) != segment["file_sha256"]:
            raise AuditDamaged("is absent or not the file that was sealed", record=segment["file"])
        for line in gzip.decompress(content).decode().splitlines():
            row = json.loads(line)
            yield {**row, "payload": base64.b64decode(row["payload"])}


def _line(row: Row) -> str:
    return json.dumps({**row, "payload": base64.b64encode(row["payload"]).decode()}) + "\n"


def _write_durably(path: Path, content: bytes) -> None:
    with unavailable("archived"):
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        partial.replace(path)
