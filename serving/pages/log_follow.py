"""LogReader: keeps the columns true to the log while it grows, and answers the pages from them.

A thread reads what comes; a page that is asked for reads the last records itself, so that a review which was just sent
is on it. While a long log is read for the first time, pages say up to which record they know it.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from features.errors import Refusal
from serving.audit.heads import heads_file
from serving.audit.reading import CLEAR
from serving.audit.replay import Artefacts
from serving.audit.tables import RECORDS
from serving.pages.log_columns import DECISIONS, UNKNOWN, LogColumns
from serving.pages.log_query import ROWS, Asked, matching, months_of, ordered
from serving.pages.log_reading import Reading
from serving.pages.log_snapshot import arrays_of, read_snapshot, write_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.audit.auditor import Auditor

log = logging.getLogger("oncorespond.pages")

BLOCK = 500
"""Records read under one lock: about 0.1 s."""
FRESH = 1_000
"""Records that a page reads itself before it answers; what is beyond is left to the thread."""
EVERY_S = 2.0
"""Seconds between two looks at the log by the thread."""
SNAPSHOT_EVERY = 20_000
"""Records after which the snapshot is written anew, a tenth of a longer log: reading so many takes seconds."""
KEPT_ORDERS = 8
"""Filters whose rows are kept while the log does not change, for paging."""

NOT_LISTED = ("previous", "hash", "once", "once_digest", "contributions", "genes")
LISTED = [column for column in CLEAR if column.name not in NOT_LISTED]


@dataclass(frozen=True)
class Listing:
    """One page of matching predictions.

    Attributes
    ----------
    rows
        Clear columns of ``records`` and outcome, decision, override, review, alterations, disagrees, erased.
    total, first
        How many match, and the place of the first shown, from 1.
    covered, behind
        Up to which record the log was read, and how many are still to be read.
    """

    asked: Asked
    rows: list[dict[str, Any]]
    total: int
    first: int
    covered: int
    behind: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // ROWS))


class LogReader:
    """The read side of one log in one process.

    Parameters
    ----------
    auditor
        The log and its keys.
    folders
        Where promoted artefacts lie; they say which sign a contribution should have.
    snapshot
        File of the sealed snapshot; without it every start reads the whole log.
    """

    def __init__(self, auditor: Auditor, folders: Sequence[Path] = (), snapshot: Path | None = None) -> None:
        self.auditor = auditor
        self.artefacts = Artefacts(tuple(folders))
        self._snapshot = snapshot
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._orders: dict[tuple[Asked, int], NDArray[np.intp]] = {}
        self._written, self._erased_written = 0, 0
        self._reading = self._restored()

    @classmethod
    def open(cls, auditor: Auditor, folders: Sequence[Path] = ()) -> LogReader:
        """Start to follow a log; its snapshot lies beside the head file."""
        beside = heads_file(auditor.database.engine.url)
        return cls(auditor, folders, beside.with_name(beside.name.partition(".")[0] + ".pages.sealed")).start()

    def start(self) -> LogReader:
        """Start the thread."""
        self._thread = threading.Thread(target=self._follow, name="pages-reader", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop the thread, and keep what was read."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
        self._keep(self._reading.columns.covered - self._written > BLOCK)

    @property
    def columns(self) -> LogColumns:
        """The columns; hold :meth:`steady` while several are read together."""
        return self._reading.columns

    @property
    def cube(self) -> Any:
        """The precomputed sums of contributions."""
        return self._reading.cube

    @property
    def steady(self) -> threading.RLock:
        """The lock under which the columns change."""
        return self._lock

    def last_record(self) -> int:
        """Return the number of the log's last record."""
        with self.auditor.database.reading() as connection:
            return int(connection.execute(sa.select(sa.func.max(RECORDS.c.seq))).scalar() or 0)

    def catch_up(self, most: int = FRESH) -> int:
        """Read what is new, at most so many records; return how many are still to be read."""
        last = self.last_record()
        end = min(last, self.columns.covered + most)
        if last - self.columns.covered > most and self._thread is not None:
            return last - self.columns.covered  # a long way: the thread is at it
        while self.columns.covered < end:
            with self._lock:
                if not self._reading.take(BLOCK):
                    break
        return max(0, last - self.columns.covered)

    def listing(self, asked: Asked) -> Listing:
        """Return one page of what matches."""
        behind = self.catch_up()
        with self._lock:
            rows = self._ordered(asked)
            first = (asked.page - 1) * ROWS
            shown = rows[first : first + ROWS]
            found = self.rows(shown)
            return Listing(asked, found, len(rows), first + 1, self.columns.covered, behind)

    def matching(self, asked: Asked) -> Iterator[list[dict[str, Any]]]:
        """Yield all matching rows in blocks, in the asked order."""
        self.catch_up()
        with self._lock:
            rows = self._ordered(asked)
        for start in range(0, len(rows), BLOCK):
            yield self.rows(rows[start : start + BLOCK])

    def rows(self, places: NDArray[np.intp]) -> list[dict[str, Any]]:
        """Return rows of the columns as the list shows them, in the given order."""
        columns = self.columns
        seqs = columns["seq"][places].tolist()
        query = sa.select(*LISTED).where(RECORDS.c.seq.in_(seqs))
        with self.auditor.database.reading() as connection:
            clear = {row["seq"]: dict(row) for row in connection.execute(query).mappings()}
        findings = self._findings_of(places)
        return [
            {**clear[seq], **self._said_later(place), "alterations": findings.get(place, [])}
            for seq, place in zip(seqs, places.tolist(), strict=True)
            if seq in clear
        ]

    def choices(self) -> dict[str, list[str]]:
        """Return what filters may be, as far as the log has it, sorted."""
        codes = self.columns.codes
        found = {name: sorted(codes[name].texts) for name in ("version", "therapy_class", "caller", "review")}
        found |= {"warning": sorted(codes["warnings"].texts), "reason": sorted(codes["reasons"].texts)}
        levels = {level for lineage in codes["lineage"].texts for level in lineage.split("/")}
        with self._lock:
            found["disagrees"] = disagreeing(self.columns)
        return found | {"histology": sorted(levels), "months": months_of(self.columns)}

    def _said_later(self, place: int) -> dict[str, Any]:
        columns, codes = self.columns, self.columns.codes
        outcome, review, override = (int(columns[name][place]) for name in ("outcome", "review", "override"))
        return {
            "outcome": None if outcome == UNKNOWN else bool(outcome),
            "decision": DECISIONS[columns["decision"][place]],
            "override": None if override == UNKNOWN else codes["override"].texts[override],
            "review": None if review == UNKNOWN else codes["review"].texts[review],
            "disagrees": codes["features"].texts_of(int(columns["disagrees"][place])),
            "erased": bool(columns["erased"][place]),
        }

    def _findings_of(self, places: NDArray[np.intp]) -> dict[int, list[str]]:
        """Return the findings of some rows; rows of findings ascend, so each is a stretch."""
        where, code = self.columns.findings
        texts = self.columns.codes["alteration"].texts
        starts, ends = np.searchsorted(where, places, "left"), np.searchsorted(where, places, "right")
        return {
            int(place): [texts[one] for one in code[start:end].tolist() if one != UNKNOWN]
            for place, start, end in zip(places, starts, ends, strict=True)
        }

    def _ordered(self, asked: Asked) -> NDArray[np.intp]:
        from dataclasses import replace

        key = (replace(asked, page=1), self.columns.covered)
        if key not in self._orders:
            if len(self._orders) >= KEPT_ORDERS:
                self._orders.clear()
            self._orders[key] = ordered(matching(asked, self.columns), asked, self.columns)
        return self._orders[key]

    def _follow(self) -> None:
        while not self._closing.is_set():
            try:
                read = self._step()
            except Refusal as refusal:  # the log is away for now; what was read is still right
                log.warning("pages_behind", extra={"refusal": refusal.log_text()})
                read = 0
            self._closing.wait(0.001 if read else EVERY_S)

    def _step(self) -> int:
        with self._lock:
            read = self._reading.take(BLOCK)
        newly_erased = int(self.columns["erased"].sum()) > self._erased_written
        grown = self.columns.covered - self._written >= max(SNAPSHOT_EVERY, self._written // 10)
        self._keep(grown or (newly_erased and not read))
        return read

    def _keep(self, wanted: bool) -> None:
        """Write the snapshot, off the request path; a disk that takes nothing costs time at the next start, no more."""
        if not wanted or self._snapshot is None:
            return
        started = time.monotonic()
        try:
            with self._lock:
                arrays, covered = arrays_of(self.columns, self.cube), self.columns.covered
            write_snapshot(self._snapshot, arrays, self.auditor.keys)
            self._written, self._erased_written = covered, int(arrays["erased"].sum())
        except OSError as error:
            log.warning("pages_snapshot_unwritten", extra={"fault": type(error).__name__})
        log.info("pages_snapshot", extra={"seconds": round(time.monotonic() - started, 2)})

    def _restored(self) -> Reading:
        reading = Reading(self.auditor.database, self.auditor.keys, self.artefacts)
        kept = self._snapshot and read_snapshot(self._snapshot, self.auditor.database, self.auditor.keys)
        if kept:
            reading.columns, reading.cube = kept
            self._written, self._erased_written = reading.columns.covered, int(reading.columns["erased"].sum())
        return reading


def disagreeing(columns: LogColumns) -> list[str]:
    """Return the features that disagreed with biology in any answer, sorted."""
    flags = int(np.bitwise_or.reduce(columns["disagrees"])) if columns.n else 0
    return sorted(columns.codes["features"].texts_of(flags))


def facts_of(columns: LogColumns) -> Mapping[str, int]:
    """Return counts that the integrity page says of the columns themselves."""
    return {"rows": columns.n, "covered": columns.covered, "findings": columns.findings.shape[1]}
