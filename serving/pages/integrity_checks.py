"""Checks of the integrity page: verification of the whole log, replay of a sample, self-tests; each with its time.

Verification walks every record and takes a second per some thousand of them, so it runs in a thread: when an auditor
asks, and by itself when the page is first seen and the log is short.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from features.errors import Refusal
from models.manifest import MANIFEST, digest_of
from models.selftest import check_self_test
from serving.audit.heads import heads_file, read_heads
from serving.audit.reading import opened
from serving.audit.replay import replayed
from serving.audit.tables import RECORDS
from serving.audit.verifying import verify
from serving.pages.bulk_sample import spread
from serving.pages.log_columns import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from models.response import ResponseModel
    from serving.audit.auditor import Auditor
    from serving.audit.replay import Artefacts, Replayed
    from serving.audit.verifying import Verdict
    from serving.pages.log_follow import LogReader

log = logging.getLogger("oncorespond.pages")

VERIFIED_AT_ONCE = 20_000
"""Records up to which the page verifies the log unasked: some seconds of one thread."""
REPLAYED = 30
"""Predictions of a replay sample."""
MOST_WAITED_S = 10.0
"""Seconds that a stopping worker waits for a check; one of a long log is given up."""


@dataclass(frozen=True)
class Checked:
    """One check that was made.

    Attributes
    ----------
    finished
        UTC, as the log writes times.
    seconds
        How long it took.
    found
        A verdict, replays or self-tests.
    failed
        Why it could not be made; empty when it was.
    """

    finished: str
    seconds: float
    found: Any = None
    failed: str = ""


@dataclass
class Checks:
    """The checks of one worker, by name: ``verify``, ``replay``, ``selftest``."""

    done: dict[str, Checked] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, name: str, check: Callable[[], Any]) -> bool:
        """Make a check in a thread; False when it is being made already."""
        with self._lock:
            if name in self.running:
                return False
            self.running.add(name)
            self._threads = [one for one in self._threads if one.is_alive()]
            thread = threading.Thread(target=self._made, args=(name, check), name=f"pages-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return True

    def close(self) -> None:
        """Wait for checks that are being made: a process that ends amid one is aborted by the libraries it is in."""
        for thread in self._threads:
            thread.join(timeout=MOST_WAITED_S)

    def _made(self, name: str, check: Callable[[], Any]) -> None:
        started = time.monotonic()
        found, failed = None, ""
        try:
            found = check()
        except Refusal as refusal:
            failed = str(refusal)
        except Exception as fault:  # the thread's last net: the page says that the check failed
            log.error("integrity_fault %s", type(fault).__name__)
            failed = f"the check failed ({type(fault).__name__})"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.done[name] = Checked(now, time.monotonic() - started, found, failed)
        self.running.discard(name)


def verification(auditor: Auditor) -> Verdict:
    """Verify every record, the chain, the signed heads and the wrapped keys."""
    path = heads_file(auditor.database.engine.url)
    heads = list(read_heads(path)) if path.is_file() else []
    return verify(auditor.database, auditor.keys.verifying, heads, auditor.keys.data)


def replay_sample(reader: LogReader, artefacts: Artefacts) -> list[Replayed]:
    """Compute a scattered sample of the logged answers again, each with the artefact of its digest."""
    with reader.steady:
        columns = reader.columns
        rows = np.flatnonzero((columns["kind"] == KINDS.index("prediction")) & ~columns["erased"])
        seqs = columns["seq"][rows][spread(columns["seq"][rows], REPLAYED)].tolist()
    auditor = reader.auditor
    query = sa.select(RECORDS).where(RECORDS.c.seq.in_(seqs)).order_by(RECORDS.c.seq)
    with auditor.database.reading() as connection:
        found = [dict(row) for row in connection.execute(query).mappings()]
    return [replayed(one, artefacts) for one in opened(auditor.database, found, auditor.keys)]


def self_tests(models: Iterable[ResponseModel], folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Score the self-test of each served model again: name, version, digest, cases, and the largest difference."""
    manifests = [path for folder in folders for path in sorted(folder.glob(f"*/{MANIFEST}"))]
    by_digest = {digest_of(path.read_bytes()): path.parent for path in manifests}
    return [_self_test(model, by_digest) for model in models]


def _self_test(model: ResponseModel, by_digest: dict[str, Path]) -> dict[str, Any]:
    identity = model.identity
    found = {"name": identity.name, "version": identity.version, "digest": identity.digest, "largest": None}
    folder = by_digest.get(identity.digest)
    if folder is None:
        return {**found, "cases": 0, "said": "its artefact is not in the folder of promoted models"}
    stored = json.loads((folder / "selftest.json").read_bytes())
    try:
        largest = check_self_test(model, stored)
    except Refusal as refusal:
        return {**found, "cases": len(stored["cases"]), "said": str(refusal)}
    return {**found, "cases": len(stored["cases"]), "largest": largest, "said": "passed"}


def served_when(reader: LogReader) -> list[dict[str, Any]]:
    """Return which versions answered, in what role, from when to when, and how often; the latest first."""
    with reader.steady:
        columns = reader.columns
        texts = columns.codes["version"].texts
        pairs = np.unique(columns["version"].astype(np.int64) * len(KINDS) + columns["kind"])
        found = [_served(columns, int(pair) // len(KINDS), int(pair) % len(KINDS), texts) for pair in pairs]
    return sorted(found, key=lambda one: one["until"], reverse=True)


def _served(columns: Any, version: int, kind: int, texts: list[str]) -> dict[str, Any]:
    rows = np.flatnonzero((columns["version"] == version) & (columns["kind"] == kind))
    times = columns["time"][rows]
    written = np.array([times.min(), times.max()]).astype("datetime64[us]").astype(str)
    return {
        "version": texts[version],
        "role": ("served", "in shadow", "in rankings")[kind],
        "since": str(written[0]),
        "until": str(written[1]),
        "n": len(rows),
    }
