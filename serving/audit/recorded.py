"""Predictor and Auditor as one: what a route calls. What it returns is durable, and may be sent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from features.errors import Refusal
from serving.audit.entries import PredictionEntry
from serving.errors import error_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.case import Case
    from models.response import Answers
    from serving.audit.auditor import Auditor
    from serving.audit.entries import Once
    from serving.predictor import Predictor, Scored


@dataclass(frozen=True)
class Asked:
    """Who asked, when, and whether a repeated request must give the same answer.

    Attributes
    ----------
    caller
        As :class:`serving.security.routes.Caller` names it.
    arrived
        ``time.perf_counter()`` when the request arrived.
    once
        The request's Idempotency-Key.
    route
        Pattern of the address that was asked.
    """

    caller: str
    arrived: float
    once: Once | None = None
    route: str | None = None

    @property
    def latency_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return 1000 * (time.perf_counter() - self.arrived)


def recorded_answers(
    auditor: Auditor, predictor: Predictor, cases: Sequence[Case], asked: Asked
) -> list[dict[str, Any]]:
    """Answer cases, all or none, and record the answers; see :meth:`serving.predictor.Predictor.answers`.

    Raises
    ------
    Refusal
        When a case has no model (422), the log takes no records (503), or the Idempotency-Key was used for another
        request (422).
    """
    if asked.once is not None:
        earlier = auditor.idempotent(asked.once, [case.case_id for case in cases])
        if earlier is not None:
            return [earlier[place] for place in range(len(cases))]
    return _recorded(auditor, predictor, list(enumerate(cases)), asked)


def recorded_answers_or_errors(
    auditor: Auditor, predictor: Predictor, entries: Sequence[Case | Refusal], asked: Asked
) -> list[dict[str, Any]]:
    """Answer the cases of a batch, each for itself, and record the answers together; a refusal leaves no record."""
    case_ids = [None if isinstance(entry, Refusal) else entry.case_id for entry in entries]
    found: dict[int, dict[str, Any]] | None = auditor.idempotent(asked.once, case_ids) if asked.once else None
    if found is None:
        answerable = [
            (place, entry)
            for place, entry in enumerate(entries)
            if not isinstance(entry, Refusal) and _refusal(predictor, entry) is None
        ]
        answers = _recorded(auditor, predictor, answerable, asked)
        found = {place: answer for (place, _), answer in zip(answerable, answers, strict=True)}
    return [found.get(place) or _error(predictor, entry) for place, entry in enumerate(entries)]


def _recorded(
    auditor: Auditor, predictor: Predictor, placed: Sequence[tuple[int, Case]], asked: Asked
) -> list[dict[str, Any]]:
    with auditor.coming():
        return auditor.record_predictions(_entries(predictor, placed, asked), asked.once)


def _entries(predictor: Predictor, placed: Sequence[tuple[int, Case]], asked: Asked) -> list[PredictionEntry]:
    return entries_of(placed, predictor.scored([case for _, case in placed]), asked)


def entries_of(placed: Sequence[tuple[int, Case]], scored: Sequence[Scored], asked: Asked) -> list[PredictionEntry]:
    """Return what is recorded of the scored cases of one request, each with its place there."""
    latency_ms = asked.latency_ms
    return [
        PredictionEntry(
            case,
            one.answer,
            one.family,
            asked.caller,
            latency_ms,
            features=known_features(one.answers, one.row),
            place=place,
            route=asked.route,
        )
        for (place, case), one in zip(placed, scored, strict=True)
    ]


def _refusal(predictor: Predictor, case: Case) -> Refusal | None:
    try:
        predictor.model_for(case)
    except Refusal as refusal:
        return refusal
    return None


def _error(predictor: Predictor, entry: Case | Refusal) -> dict[str, Any]:
    refusal = entry if isinstance(entry, Refusal) else _refusal(predictor, entry)
    if refusal is None:
        refusal = Refusal("was refused when this Idempotency-Key came first", way_out="Send it with a new key.")
    return error_body(refusal, "-")


def known_features(answers: Answers, row: int) -> dict[str, float | None]:
    """Return one row of the feature matrix by column, None where unknown: :attr:`PredictionEntry.features`."""
    names = [column.name for column in answers.model.table.columns]
    values = answers.inputs.matrix[row].tolist()
    return {name: None if isnan(value) else value for name, value in zip(names, values, strict=True)}
