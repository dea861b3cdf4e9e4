"""The answer: one case's JSON as every door gives it, and many as columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.answer_reasons import reasons_of, warnings_of
from models.comparators import comparator_flags
from models.explanation import contributions_of, groups_of
from models.intended_use import INTENDED_USE
from models.interval import METHOD

if TYPE_CHECKING:
    from models.response import Answers, ResponseModel

MOST_ARMS = 5
"""Published arms that an answer names."""


def answer_of(answers: Answers, row: int, prediction_id: str | None = None) -> dict[str, Any]:
    """Return one answer as architecture.md writes it, JSON-ready.

    Parameters
    ----------
    answers
        From :meth:`models.response.ResponseModel.answers`.
    row
        Which case.
    prediction_id
        Given by the door that serves; null elsewhere, so that the same case gives the same answer.

    Notes
    -----
    An abstained case has its reasons, warnings, evidence and comparators, and null where a probability, or a number
    that a probability could be computed from, would stand.
    """
    answers, row = answers.near(row)
    shown = answers.model.table.show(answers.batch, row)
    answered = bool(answers.answered[row])
    found: dict[str, Any] = {
        "prediction_id": prediction_id,
        "case_id": answers.batch.texts["case_id"].text(row),
        "status": "predicted" if answered else "abstained",
        **(_numbers(answers, row) if answered else _no_numbers(answers)),
        "contributions": contributions_of(answers, row, shown) if answered else [],
        "groups": groups_of(answers, row) if answered else {},
        "evidence": _arms(answers, row),
        "comparators": comparator_flags(answers.batch, row),
        "reasons": [one.to_dict() for one in reasons_of(answers, row)],
        "warnings": [one.to_dict() for one in warnings_of(answers, row, shown)],
        "model": model_of(answers.model),
        "intended_use": INTENDED_USE,
    }
    return found


def _numbers(answers: Answers, row: int) -> dict[str, Any]:
    scores = answers.scores
    return {
        "probability": float(scores.probability[row]),
        "interval": {"low": float(scores.low[row]), "high": float(scores.high[row]), "method": METHOD},
        "log_odds": float(scores.log_odds[row]),
        "base_log_odds": scores.base,
    }


def _no_numbers(answers: Answers) -> dict[str, Any]:
    return {"probability": None, "interval": None, "log_odds": None, "base_log_odds": answers.scores.base}


def _arms(answers: Answers, row: int) -> list[dict[str, Any]]:
    evidence = answers.model.evidence
    return [] if evidence is None else evidence.nearest_arms(answers.batch, row, MOST_ARMS)


def model_of(model: ResponseModel) -> dict[str, Any]:
    """Return what an answer says of the model that gave it."""
    card, identity = model.card, model.identity
    return {
        "name": identity.name,
        "version": identity.version,
        "digest": identity.digest,
        "endpoint": card.get("endpoint"),
        "trained_on": card.get("trained_on"),
        "synthetic": bool(card.get("synthetic")),
        "vocabulary": card.get("vocabulary"),
        "calibration": model.calibration.method,
    }


def scored_columns(answers: Answers) -> dict[str, Any]:
    """Return answers as columns, one row per case in order: the table that ``oncorespond score`` writes.

    case_id, status, reasons (codes joined by ``;``), probability, interval_low, interval_high, log_odds,
    base_log_odds and ``phi:<feature>``; numbers of abstained cases are NaN (null in Parquet), the base apart.
    """
    scores, answered = answers.scores, answers.answered
    hidden = {
        "probability": scores.probability,
        "interval_low": scores.low,
        "interval_high": scores.high,
        "log_odds": scores.log_odds,
    }
    phi = {f"phi:{name}": scores.phi[:, k] for k, name in enumerate(answers.model.feature_names)}
    return {
        "case_id": answers.batch.texts["case_id"].texts(),
        "status": np.where(answered, "predicted", "abstained").tolist(),
        "reasons": _joined_reasons(answers),
        **{name: np.where(answered, values, np.nan) for name, values in hidden.items()},
        "base_log_odds": np.full(answers.n, scores.base),
        **{name: np.where(answered, values, np.nan) for name, values in phi.items()},
    }


def _joined_reasons(answers: Answers) -> list[str]:
    joined = [""] * answers.n
    for row in np.flatnonzero(~answers.answered).tolist():
        joined[row] = ";".join(answers.reason_codes(row))
    return joined
