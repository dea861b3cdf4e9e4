"""Verification: is the log what was written? Records, chain, signed heads, wrapped keys and archived segments.

What is found: any changed, missing, inserted or reordered record; a chain rewritten as a whole (signed heads differ); a
changed or removed key that no erasure explains. What needs a head kept elsewhere: that the end of the log, its heads
and the head file were cut off together. What cannot be found: a false record by someone who holds the signing key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from serving.audit.chain import GENESIS, Head, content_hash
from serving.audit.disorder import Link, Problem, named
from serving.audit.group_commit import last_of
from serving.audit.key_check import KeyCheck
from serving.audit.reading import in_order
from serving.audit.segments import archived_rows, segments_of, signed_segments
from serving.audit.tables import HEADS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from serving.audit.database import Database
    from serving.audit.reading import Row


@dataclass
class Verdict:
    """What a verification found.

    Attributes
    ----------
    records, heads
        How many were checked.
    erased
        Records whose keys were destroyed by a logged erasure.
    archived
        Records that a sealed segment holds and that were not looked into.
    last
        The last record's number and hash.
    problems
        Empty when the log is what was written.
    """

    records: int = 0
    heads: int = 0
    erased: int = 0
    archived: int = 0
    last: tuple[int, str] = (0, GENESIS)
    problems: list[Problem] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def verify(
    database: Database,
    public: Mapping[str, Ed25519PublicKey],
    elsewhere: Iterable[Head] = (),
    data_keys: Mapping[str, bytes] | None = None,
    archive: Path | None = None,
) -> Verdict:
    """Verify the log up to its last record at the time of the call; it may be written to meanwhile.

    Parameters
    ----------
    public
        Public signing keys by id.
    elsewhere
        Heads of the head file, or kept elsewhere; read them before calling.
    data_keys
        With them, every wrapped key is opened; without, only its presence is checked.
    archive
        Folder of sealed segments; without it the chain is verified from the last segment's signed end on.
    """
    verdict = Verdict()
    outside = list(elsewhere)
    with database.reading() as connection:
        bound, _ = last_of(connection)
        inside = [Head(**row) for row in connection.execute(_HEADS.where(HEADS.c.count <= bound)).mappings()]
        segments = segments_of(connection)
    verdict.problems += signed_segments(segments, public)
    start = (0, GENESIS)
    if segments and archive is None:
        start = (segments[-1]["last_seq"], segments[-1]["last_hash"])
        verdict.archived = start[0]
    heads = _trusted(verdict, [*inside, *outside], public)
    keys = KeyCheck(database, data_keys)

    def rows() -> Iterator[Row]:
        if archive is not None:
            yield from archived_rows(segments, archive)
        yield from _rows_to(database, bound)

    sound = _walk(verdict, rows(), start, heads, keys)
    if not sound:
        verdict.problems += named([_link(row) for row in rows()], start, {head.hash for head in heads.values()})
    verdict.problems += _against_heads(verdict, heads, {head.count for head in inside})
    verdict.erased, unexplained = keys.unexplained()
    verdict.problems += unexplained
    return verdict


_HEADS = sa.select(HEADS).order_by(HEADS.c.count)


def _trusted(verdict: Verdict, heads: Sequence[Head], public: Mapping[str, Ed25519PublicKey]) -> dict[int, Head]:
    """Return heads whose signature is good, by count; name the others, and those that contradict each other."""
    found: dict[int, Head] = {}
    for head in heads:
        verdict.heads += 1
        if not head.good(public):
            reason = "its signature is wrong" if head.key_id in public else f"its key {head.key_id[:16]} is not known"
            verdict.problems.append(Problem("head", None, f"the head of {head.count} records: {reason}"))
        elif head.count in found and found[head.count].hash != head.hash:
            text = f"two signed heads of {head.count} records differ: the log was cut and written on"
            verdict.problems.append(Problem("rewritten", head.count, text))
        else:
            found[head.count] = head
    return found


def _rows_to(database: Database, bound: int) -> Iterator[Row]:
    for block in in_order(database):
        for row in block:
            if row["seq"] > bound:
                return
            yield row


def _link(row: Row) -> Link:
    return Link(row["seq"], row["record_id"], row["previous"], row["hash"], content_hash(row))


def _walk(
    verdict: Verdict, rows: Iterator[Row], start: tuple[int, str], heads: dict[int, Head], keys: KeyCheck
) -> bool:
    """Walk the chain once; return whether every record follows from the one before it."""
    sound, differing = True, 0
    seq, last_hash = start
    for row in rows:
        link = _link(row)
        sound &= link.seq == seq + 1 and link.previous == last_hash and link.fits(link.seq)
        seq, last_hash = link.seq, link.hash
        head = heads.get(seq)
        if head is not None and head.hash != link.hash:
            differing = differing or seq
        keys.take(row)
        verdict.records += 1
    verdict.last = (seq, last_hash)
    if differing and sound:
        text = f"the chain was written anew: record {differing} or one since the head before it is not what was signed"
        verdict.problems.append(Problem("rewritten", differing, text))
    return sound


def _against_heads(verdict: Verdict, heads: Mapping[int, Head], inside: set[int]) -> Iterator[Problem]:
    last = verdict.last[0]
    furthest = max(heads, default=0)
    if furthest > last:
        yield Problem("cut", last + 1, f"records {last + 1} to {furthest} are missing from the end: a head has them")
    covered = max((count for count in inside if count in heads), default=0)
    if covered < last and verdict.records:
        yield Problem("inserted", covered + 1, f"records {covered + 1} to {last} are under no signed head")
