"""Rankings in the log: one record that says the order, and one prediction per listed answer that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from serving.audit.drafts import once_ref, prediction_draft, ranking_draft
from serving.audit.group_commit import Unit
from serving.audit.reading import opened
from serving.audit.refusals import ErasedRecord
from serving.audit.tables import RECORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serving.audit.auditor import Auditor
    from serving.audit.entries import Once, PredictionEntry, RankingEntry


def record_ranking(
    auditor: Auditor, entry: RankingEntry, listed: Sequence[PredictionEntry], once: Once | None
) -> dict[str, Any]:
    """Make a ranking and its listed answers durable together; return the ranking that is to be sent.

    Raises
    ------
    AuditUnavailable, IdempotencyKeyReused
        As :meth:`serving.audit.auditor.Auditor.record_predictions`.
    """
    ref = once_ref(once, auditor.keys) if once else None
    drafts = [ranking_draft(entry, ref, auditor.keys), *(prediction_draft(one, None, auditor.keys) for one in listed)]
    if auditor.write(Unit(drafts, ref)):
        auditor.tell_followers(listed)
        return _with_answers(entry.ranking, {one.answer["prediction_id"]: one.answer for one in listed})
    assert once is not None  # noqa: S101  # only a key can be there already
    return earlier_ranking(auditor, once, entry.case.case_id) or {}


def earlier_ranking(auditor: Auditor, once: Once, case_id: str | None) -> dict[str, Any] | None:
    """Return the ranking that a request with this key was given before, None when the key is new.

    Raises
    ------
    IdempotencyKeyReused, ErasedRecord
        The key came before with another request; the ranking was erased since.
    """
    rows = auditor.earlier_rows(once_ref(once, auditor.keys))
    if not rows:
        return None
    [ranking] = opened(auditor.database, rows, auditor.keys)
    query = sa.select(RECORDS).where(RECORDS.c.about == ranking.row["record_id"], RECORDS.c.kind == "prediction")
    with auditor.database.reading() as connection:
        found = [dict(row) for row in connection.execute(query).mappings()]
    if ranking.payload is None:
        raise ErasedRecord("the values of this ranking were erased", record=ranking.row["record_id"])
    logged = opened(auditor.database, found, auditor.keys)
    answers = {one.row["record_id"]: {**one.answer, "case_id": case_id} for one in logged}
    return {**_with_answers(ranking.payload["ranking"], answers), "case_id": case_id}


def without_answers(ranking: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ranking with the id of each listed answer in the answer's place."""
    return {**ranking, "lists": [_mapped(one, lambda answer: answer["prediction_id"]) for one in ranking["lists"]]}


def _with_answers(ranking: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {**ranking, "lists": [_mapped(one, lambda identity: dict(answers[identity])) for one in ranking["lists"]]}


def _mapped(one: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    return {**one, "therapies": [{**entry, "answer": change(entry["answer"])} for entry in one["therapies"]]}
