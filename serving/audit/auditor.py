"""Auditor: what the service calls. Nothing it returns from was less than durable."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from serving.audit.database import Database, unavailable
from serving.audit.drafts import erasure_draft, event_draft, now, once_ref, prediction_draft
from serving.audit.entries import AuditId, Decision, Outcome, Review
from serving.audit.group_commit import GroupCommit, Unit
from serving.audit.heads import HeadFile, heads_file
from serving.audit.keys import AuditKeys, keys_folder, load_keys
from serving.audit.reading import Logged, looked_up, opened, row_of, rows_of_key
from serving.audit.refusals import AuditUnavailable, IdempotencyKeyReused, UnknownPrediction
from serving.audit.sealing import pseudonyms
from serving.audit.tables import ALIVE, DATA_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from serving.audit.drafts import OnceRef
    from serving.audit.entries import Event, Once, PredictionEntry
    from serving.audit.reading import Row

log = logging.getLogger("oncorespond.audit")

PREDICTIONS = ("prediction", "shadow")

QUIET_S = 10.0
"""Seconds since the last durable write after which readiness is tried by one."""


class Auditor:
    """The audit log of one process; several processes may have one each on the same database.

    Every method may be called from any thread. Calls block; from asyncio use a thread pool.

    Attributes
    ----------
    followers
        Each is called with predictions that have just become durable, before they are sent: it must not wait.
    """

    def __init__(self, database: Database, keys: AuditKeys, heads: Path) -> None:
        self.database = database
        self.keys = keys
        self._writer = GroupCommit(database, keys, HeadFile(heads)).start()
        self.followers: list[Callable[[Sequence[PredictionEntry]], None]] = []

    @classmethod
    def open(cls, url: str | None = None, keys: AuditKeys | Path | None = None, heads: Path | None = None) -> Auditor:
        """Open the log, and make or migrate its tables.

        Parameters
        ----------
        url
            Database; by default ``$ORP_DATABASE_URL``, then SQLite in ``audit/audit.db``.
        keys
            Keys or their folder; by default ``$ORP_KEYS``, then ``./keys``.
        heads
            The head file; by default ``$ORP_AUDIT_HEADS``, then beside the SQLite file.

        Raises
        ------
        AuditUnavailable, SchemaOutdated, AuditKeysRefused
            When the service must not start.
        """
        loaded = keys if isinstance(keys, AuditKeys) else load_keys(keys_folder(keys))
        _ = loaded.signing_id
        database = Database.open(url)
        return cls(database, loaded, heads or heads_file(database.engine.url))

    def record_prediction(self, entry: PredictionEntry) -> AuditId:
        """Make one answer durable; return where it stands. Only then may the answer be sent."""
        unit = Unit([prediction_draft(entry, None, self.keys)])
        self._writer.submit(unit)
        return AuditId(unit.drafts[0].row["record_id"], unit.numbers[0])

    def record_predictions(self, entries: Sequence[PredictionEntry], once: Once | None = None) -> list[dict[str, Any]]:
        """Make the answers of one request durable together; return the answers that are to be sent.

        Without ``once``, or when its key is new, they are the answers of the entries. When another request with this
        key was faster, nothing is written and the answers given then are returned, with the case ids of these entries.

        Raises
        ------
        AuditUnavailable
            503: nothing may be sent.
        IdempotencyKeyReused
            The key came before, with another request.
        """
        if not entries:
            return []
        ref = once_ref(once, self.keys) if once else None
        if self._writer.submit(self.unit_of(entries, ref)):
            self.tell_followers(entries)
            return [dict(entry.answer) for entry in entries]
        assert ref is not None  # noqa: S101  # only a key can be there already
        earlier = self._earlier(ref)
        if any(entry.place not in earlier for entry in entries):
            raise IdempotencyKeyReused("a request with this Idempotency-Key was answered by other models meanwhile")
        return [{**earlier[entry.place].answer, "case_id": entry.case.case_id} for entry in entries]

    def unit_of(self, entries: Sequence[PredictionEntry], ref: OnceRef | None = None) -> Unit:
        """Return the answers of one request as they are written, sealed; :meth:`hand_over` takes it."""
        drafts = [prediction_draft(entry, None if entry.shadow_of else ref, self.keys) for entry in entries]
        return Unit(drafts, ref)

    def hand_over(self, units: Sequence[Unit]) -> None:
        """Have units written without waiting for it; their ``done`` tells when each is durable, or why it is not."""
        self._writer.hand_over(units)

    def idempotent(self, once: Once, case_ids: Sequence[str | None] | None = None) -> dict[int, dict[str, Any]] | None:
        """Return the answers that a request with this key was given before, by place; None when it is new.

        Parameters
        ----------
        case_ids
            By place, put into the answers; without them an answer has the case's pseudonym. Places that are missing
            were refused, which is decided by the request alone: refuse them again.

        Raises
        ------
        IdempotencyKeyReused
            The key came before, with another request.
        ErasedRecord
            The answer was erased since.
        """
        earlier = self._earlier(once_ref(once, self.keys))
        if not earlier:
            return None
        answers = {place: dict(logged.answer) for place, logged in earlier.items()}
        for place, answer in answers.items():
            if case_ids is not None:
                answer["case_id"] = case_ids[place]
        return answers

    def record_outcome(self, prediction_id: str, outcome: Outcome, caller: str, once: Once | None = None) -> AuditId:
        """Log an observed response; see :meth:`record_event`."""
        return self.record_event(prediction_id, outcome, caller, once)

    def record_decision(self, prediction_id: str, decision: Decision, caller: str, once: Once | None = None) -> AuditId:
        """Log what was done with an answer; see :meth:`record_event`."""
        return self.record_event(prediction_id, decision, caller, once)

    def record_review(self, prediction_id: str, review: Review, caller: str, once: Once | None = None) -> AuditId:
        """Log an auditor's finding; see :meth:`record_event`."""
        return self.record_event(prediction_id, review, caller, once)

    def record_event(
        self, prediction_id: str, event: Event, caller: str, once: Once | None = None, route: str | None = None
    ) -> AuditId:
        """Chain a further record to a logged prediction; with a key that came before, return what it made then.

        Raises
        ------
        UnknownPrediction
            404: no prediction has this id.
        AuditUnavailable, IdempotencyKeyReused
            As for predictions.
        """
        about = self.prediction_row(prediction_id)
        ref = once_ref(once, self.keys) if once else None
        unit = Unit([event_draft(event, about, caller, ref, self.keys, route)], ref)
        if self._writer.submit(unit):
            return AuditId(unit.drafts[0].row["record_id"], unit.numbers[0])
        assert ref is not None  # noqa: S101  # only a key can be there already
        row = self.earlier_rows(ref)[0]
        return AuditId(row["record_id"], row["seq"])

    def lookup(self, prediction_id: str) -> Logged:
        """Return a prediction with its request, answer and all that was later said of it; UnknownPrediction else."""
        self.prediction_row(prediction_id)
        return looked_up(self.database, prediction_id, self.keys)

    def pseudonyms_of(self, *, patient_id: str | None = None, case_id: str | None = None) -> list[str]:
        """Return the pseudonyms of a patient or a case under every active key, for :class:`reading.Filter`."""
        if patient_id is not None:
            return pseudonyms(self.keys, "patient", patient_id)
        return pseudonyms(self.keys, "case", case_id or "")

    def erase(self, caller: str, *, patient_id: str | None = None, case_id: str | None = None) -> int:
        """Destroy the keys of all records of a patient (or of a case without one), and log that it was done.

        Returns the number of keys destroyed. The chain still verifies; the values are noise from then on, in the
        database, in archived segments, and in backups once those of the ``data_keys`` table are gone.
        """
        column = DATA_KEYS.c.case_ref if patient_id is None else DATA_KEYS.c.patient_ref
        refs = self.pseudonyms_of(patient_id=patient_id, case_id=case_id)
        with self.database.reading() as connection:
            counts = sa.select(column, sa.func.count()).where(column.in_(refs)).group_by(column)
            found: dict[str, int] = {str(ref): number for ref, number in connection.execute(counts)}
        drafts = [erasure_draft(*self._as_owner(patient_id, ref), caller, self.keys) for ref in found]
        if drafts:
            self._writer.submit(Unit(drafts, erase=sa.delete(DATA_KEYS).where(column.in_(list(found)))))
            self.database.forget()
        return sum(found.values())

    @staticmethod
    def _as_owner(patient_id: str | None, ref: str) -> tuple[str | None, str | None]:
        return (None, ref) if patient_id is None else (ref, None)

    def ready(self) -> bool:
        """Return whether the log takes records now.

        After a failure, or when nothing was written for a while, it is tried by writing and committing one row, and
        the disk is asked for room.
        """
        if not self._writer.alive:
            return False
        if self._writer.quiet_s < QUIET_S and not self._writer.heads.waiting:
            return True
        try:
            with unavailable("written"), self.database.writing() as connection:
                connection.execute(sa.update(ALIVE).values(time=now()))
                roomy = self.database.has_room()
        except AuditUnavailable:
            return False
        if not roomy:
            return False
        self._writer.went_well()
        return self._writer.heads.flush()

    @property
    def lag_s(self) -> float:
        """Seconds for which the oldest answer has waited to be durable, for the metrics; 0 when none waits."""
        return self._writer.lag_s

    def close(self) -> None:
        """Write what waits, then close; call it when requests have drained."""
        self._writer.close()
        self.database.close()

    def write(self, unit: Unit) -> bool:
        """Make a unit durable; False when its Idempotency-Key was there already, and nothing was written.

        Raises
        ------
        AuditUnavailable
            503: nothing may be sent.
        """
        return self._writer.submit(unit)

    def coming(self) -> AbstractContextManager[None]:
        """Say that answers are being computed that will be recorded: others may share a commit with them."""
        return self._writer.coming()

    def tell_followers(self, entries: Sequence[PredictionEntry]) -> None:
        """Tell of predictions that have become durable; a follower's fault is its own, the answers are recorded."""
        for follower in self.followers:
            try:
                follower(entries)
            except Exception as fault:
                log.error("follower_fault", extra={"fault": type(fault).__name__, "count": len(entries)})

    def prediction_row(self, prediction_id: str) -> Row:
        """Return the row of a prediction, its ciphertext included; UnknownPrediction else."""
        row = row_of(self.database, prediction_id)
        if row["kind"] not in PREDICTIONS:
            raise UnknownPrediction(f"the record of this id is not a prediction but of kind {row['kind']}")
        return row

    def _earlier(self, ref: OnceRef) -> Mapping[int, Logged]:
        logged = opened(self.database, self.earlier_rows(ref), self.keys)
        return {one.row["place"]: one for one in logged}

    def earlier_rows(self, ref: OnceRef) -> list[Row]:
        """Return the records that an Idempotency-Key made; IdempotencyKeyReused when of another request."""
        rows = rows_of_key(self.database, ref.keys)
        if any(row["once_digest"] not in ref.digests for row in rows):
            raise IdempotencyKeyReused(
                "this Idempotency-Key came before with another request", way_out="Use a new key for a new request."
            )
        return rows
