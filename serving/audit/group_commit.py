"""Group commit: all that waits is written in one transaction, so that many requests share one fsync.

One thread per process writes. While it commits, the next units gather; while others are being computed
(:meth:`GroupCommit.coming`), it waits for them a moment, and never when the only request is the one that waits. The
transaction holds the log's one turn (:meth:`serving.audit.database.Database.writing`), reads the last record, numbers
and links the new ones, and signs the new head; when it is durable, the head goes to the head file and the callers on.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from features.errors import Refusal
from serving.audit.chain import GENESIS, link_hash, sign_head
from serving.audit.database import LONGEST_WAIT_S, unavailable
from serving.audit.drafts import key_row, now
from serving.audit.refusals import AuditUnavailable
from serving.audit.tables import DATA_KEYS, HEADS, RECORDS, SEGMENTS
from serving.deadline import check_deadline, time_left_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serving.audit.chain import Head
    from serving.audit.database import Database
    from serving.audit.drafts import Draft, OnceRef
    from serving.audit.heads import HeadFile
    from serving.audit.keys import AuditKeys

log = logging.getLogger("oncorespond.audit")

MOST_RECORDS = 1_000
"""Records of one group, unless one unit alone has more: bounds how long other processes wait for their turn."""

GATHERED_S = 0.02
"""Seconds for which a unit waits at most for others that are being computed: a commit costs as much CPU as 1/3 of an
answer, and under load shares it among as many."""

MOST_WAITED_S = 2 * LONGEST_WAIT_S
"""Seconds for the turn and for the commit."""


@dataclass
class Unit:
    """What is written together or not at all: the answers of one request.

    ``done`` gives True when the drafts were written, False when its Idempotency-Key was there already.
    """

    drafts: Sequence[Draft]
    once: OnceRef | None = None
    erase: sa.Delete | None = None
    done: Future[bool] = field(default_factory=Future)
    numbers: list[int] = field(default_factory=list)
    arrived: float = field(default_factory=time.monotonic)


@dataclass
class GroupCommit:
    """The writing thread of this process."""

    database: Database
    keys: AuditKeys
    heads: HeadFile
    _oldest: float | None = None
    _last_good: float = float("-inf")
    _queue: SimpleQueue[Sequence[Unit] | None] = field(default_factory=SimpleQueue)
    _thread: threading.Thread | None = None
    _closing: bool = False
    _coming: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def start(self) -> GroupCommit:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)
        self._thread.start()
        return self

    @property
    def alive(self) -> bool:
        """Whether the thread runs and takes units."""
        return self._thread is not None and self._thread.is_alive() and not self._closing

    @property
    def quiet_s(self) -> float:
        """Seconds since something was last made durable; infinite after a failure."""
        return time.monotonic() - self._last_good

    def went_well(self) -> None:
        """Note that something was made durable now."""
        self._last_good = time.monotonic()

    @property
    def lag_s(self) -> float:
        """Seconds for which the oldest unit has waited to be durable; 0 when none waits."""
        since = self._oldest
        return 0.0 if since is None else time.monotonic() - since

    def submit(self, unit: Unit) -> bool:
        """Hand over a unit and wait until it is durable; see :class:`Unit`.

        Raises
        ------
        AuditUnavailable
            When it could not be made durable in time. Once its writing has begun, it may still be written later.
        DeadlineExceeded
            When the request's time was over before its writing began: then it is never written.
        """
        check_deadline()
        self.hand_over([unit])
        try:
            return unit.done.result(timeout=min(MOST_WAITED_S, time_left_s()))
        except TimeoutError:
            if unit.done.cancel():  # the writing thread passes it over
                check_deadline()
                raise too_slow() from None
        try:  # its writing has begun: what is recorded as answered is answered
            return unit.done.result(timeout=MOST_WAITED_S)
        except TimeoutError:
            raise too_slow() from None

    def hand_over(self, units: Sequence[Unit]) -> None:
        """Hand over units without waiting; :attr:`Unit.done` tells of each.

        Raises
        ------
        AuditUnavailable
            When the log is closed.
        """
        if not self.alive:
            raise AuditUnavailable("the audit log is closed")
        self._queue.put(units)

    def close(self) -> None:
        """Write what waits, then stop."""
        self._closing = True
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout=MOST_WAITED_S)

    def _run(self) -> None:
        open_for_more = True
        while open_for_more:
            gathered, open_for_more = self._gathered()
            units = [unit for unit in gathered if unit.done.set_running_or_notify_cancel()]
            if units:
                self._oldest = units[0].arrived
                self._write(units)
                self._oldest = None

    def _gathered(self) -> tuple[list[Unit], bool]:
        """Wait for one unit, then take all that wait with it; and whether more may come."""
        units: list[Unit] = []
        size, until = 0, 0.0
        while not units or size < MOST_RECORDS:
            try:
                came = self._queue.get(timeout=None if not units else self._worth_waiting_s(len(units), until))
            except Empty:
                break
            until = until or time.monotonic() + GATHERED_S
            if came is None:
                return units, False
            units.extend(came)
            size += sum(len(unit.drafts) for unit in came)
        return units, True

    def _worth_waiting_s(self, gathered: int, until: float) -> float:
        """Return how long to wait for one more unit: not at all unless more are coming than have come."""
        return max(0.0, until - time.monotonic()) if self._coming > gathered else 0.0

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Say that units are being made: for the whole of a request that computes and then submits."""
        with self._counting:
            self._coming += 1
        try:
            yield
        finally:
            with self._counting:
                self._coming -= 1

    def _write(self, units: list[Unit]) -> None:
        """Write a group; should one unit be at fault, write each alone so that it alone fails."""
        try:
            with unavailable("written"):
                fresh = self._commit(units)
        except Refusal as refusal:
            if len(units) > 1 and isinstance(refusal.__context__, IntegrityError):
                for unit in units:
                    self._write([unit])
                return
            self._fail(units, refusal)
        except BaseException as fault:  # the thread must live, and its callers must be told; a library's panic too
            log.error("audit_fault %s", type(fault).__name__)
            self._fail(units, AuditUnavailable(f"the audit log failed ({type(fault).__name__})"))
        else:
            self.went_well()
            for unit, new in zip(units, fresh, strict=True):
                unit.done.set_result(new)

    def _fail(self, units: list[Unit], refusal: Refusal) -> None:
        self._last_good = float("-inf")
        log.error("%s units=%d", refusal.log_text(), len(units))
        for unit in units:
            unit.done.set_exception(refusal)

    def _commit(self, units: list[Unit]) -> list[bool]:
        with self.database.writing() as connection:
            fresh = _first_of_their_keys(connection, units)
            written = [unit for unit, new in zip(units, fresh, strict=True) if new]
            drafts = [draft for unit in written for draft in unit.drafts]
            if drafts:
                head = self._link_and_insert(connection, drafts)
            for unit in written:
                if unit.erase is not None:
                    connection.execute(unit.erase)
        if drafts:
            _number(written, head.count)
            if not self.heads.append(head):
                log.error("audit_head_file_unavailable")
        return fresh

    def _link_and_insert(self, connection: sa.Connection, drafts: list[Draft]) -> Head:
        seq, previous = last_of(connection)
        rows, wrapped = [], []
        for draft in drafts:
            seq += 1
            link = link_hash(seq, previous, draft.content)
            rows.append({**draft.row, "seq": seq, "previous": previous, "hash": link})
            wrapped.append(key_row(seq, draft))
            previous = link
        head = sign_head(seq, previous, now(), self.keys)
        connection.execute(_INSERT_RECORDS, rows)
        connection.execute(_INSERT_KEYS, wrapped)
        connection.execute(_INSERT_HEAD, dict(vars(head)))
        return head


def too_slow() -> AuditUnavailable:
    """Return what is said of a log that does not come to an end."""
    return AuditUnavailable(f"the audit log took longer than {MOST_WAITED_S:g} s")


_INSERT_RECORDS, _INSERT_KEYS, _INSERT_HEAD = sa.insert(RECORDS), sa.insert(DATA_KEYS), sa.insert(HEADS)


def last_of(connection: sa.Connection) -> tuple[int, str]:
    """Return number and hash of the last record, of the last sealed one when no other is left, or the genesis."""
    row = connection.execute(_LAST).first() or connection.execute(_LAST_SEALED).first()
    return (0, GENESIS) if row is None else (row[0], row[1])


_LAST = sa.select(RECORDS.c.seq, RECORDS.c.hash).order_by(RECORDS.c.seq.desc()).limit(1)
_LAST_SEALED = sa.select(SEGMENTS.c.last_seq, SEGMENTS.c.last_hash).order_by(SEGMENTS.c.last_seq.desc()).limit(1)


def _number(units: list[Unit], last: int) -> None:
    number = last - sum(len(unit.drafts) for unit in units)
    for unit in units:
        unit.numbers = list(range(number + 1, number + 1 + len(unit.drafts)))
        number += len(unit.drafts)


def _first_of_their_keys(connection: sa.Connection, units: list[Unit]) -> list[bool]:
    """Return, for each unit, whether its Idempotency-Key is new: neither in the log nor earlier in this group."""
    asked = {key for unit in units if unit.once for key in unit.once.keys}
    if not asked:
        return [True] * len(units)
    found = connection.execute(sa.select(RECORDS.c.once).where(RECORDS.c.once.in_(asked)).distinct())
    seen = set(found.scalars())
    fresh = []
    for unit in units:
        keys = set(unit.once.keys) if unit.once else set()
        fresh.append(not keys & seen)
        seen |= keys
    return fresh
