"""One prediction: what was estimated, why, what would change it, what became of it; replay and review."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from features.errors import Refusal
from serving.audit.entries import Once, read_event
from serving.audit.refusals import ErasedRecord, UnknownPrediction
from serving.audit.replay import Artefacts, replayed
from serving.identifiers import new_id
from serving.pages.alike import alike
from serving.pages.case_view import (
    alterations_of,
    arms_of,
    base_probability,
    class_name,
    comparators_of,
    facts_of,
    histology_name,
    later_of,
    prior_therapies_of,
    shadows_of,
    therapy_name,
)
from serving.pages.reasons_view import in_words, reasons_of, unknowns_of
from serving.pages.scales import UNIT
from serving.pages.sensitivity import sensitivity
from serving.record_routes import RECORD_ID
from serving.spreadsheet_text import csv_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from models.response import ResponseModel
    from serving.audit.reading import Logged
    from serving.audit.replay import Replayed
    from serving.pages.alike import Alike
    from serving.pages.opening import Pages
    from serving.pages.sensitivity import Sensitivity
    from serving.pages.visit import Visit

ADDRESS = "/audit/predictions/{prediction_id}"

VERDICTS = (
    ("agree", "Agree", "the estimate and its reasons are plausible"),
    ("query", "Query", "something should be looked into"),
    ("reject", "Reject", "the estimate or its reasons are wrong"),
)

REASONS = (
    ("implausible_estimate", "The estimate is implausible"),
    ("implausible_explanation", "The explanation is implausible"),
    ("evidence_missing", "Evidence is missing"),
    ("input_wrong", "An input is wrong"),
    ("should_abstain", "It should have abstained"),
    ("other", "Another reason"),
)
"""Of a review; the codes are those of :data:`serving.audit.entries.ReviewReason`, which a test holds them to."""

CSV = "text/csv; charset=utf-8"


def add_routes(pages: Pages) -> None:
    """Add the page of one prediction, its two forms and its downloads."""
    pages.get(ADDRESS, case_page)
    pages.post(ADDRESS + "/replay", replay_page)
    pages.post(ADDRESS + "/review", review)
    pages.get(ADDRESS + "/contributions.csv", contributions_csv)
    pages.get(ADDRESS + "/sensitivity.csv", sensitivity_csv)
    pages.get(ADDRESS + "/estimate.csv", estimate_csv)
    pages.get(ADDRESS + "/similar.csv", similar_csv)


def logged_prediction(visit: Visit) -> Logged:
    """Return the prediction that an address names.

    Raises
    ------
    UnknownPrediction
        404: there is none of this id.
    """
    name = visit.named["prediction_id"]
    if not RECORD_ID.fullmatch(name):
        raise UnknownPrediction("there is no record of this id")
    return visit.auditor.lookup(name)


def case_page(visit: Visit) -> Response:
    """Show one prediction."""
    return _shown(visit, logged_prediction(visit))


def replay_page(visit: Visit) -> Response:
    """Compute the answer again with the artefact of its digest, and show the page with what came of it."""
    logged = logged_prediction(visit)
    return _shown(visit, logged, replayed(logged, Artefacts(visit.state.model_folders)))


def review(visit: Visit) -> Response:
    """Log a review as a further record, then show the page again; what is not a review is said beside the form."""
    logged = logged_prediction(visit)
    given = {name: visit.form[name] for name in ("finding", "reason", "note") if name in visit.form}
    try:
        event, name = read_event("review", given), logged.row["record_id"]
        visit.auditor.record_event(name, event, visit.caller.name, _once(visit, name, given))
    except Refusal as refusal:
        if refusal.http_status != UNREADABLE:
            raise
        return _shown(visit, logged, refused=refusal, given=given)
    return visit.go(f"/audit/predictions/{logged.row['record_id']}?reviewed={given['finding']}#review")


def _once(visit: Visit, record_id: str, given: Mapping[str, str]) -> Once | None:
    """Return the key of the form that was sent: sent twice (a double click, a reload), it is one review."""
    form, caller = visit.form.get("form", ""), visit.caller.name
    if not FORM.fullmatch(form):
        return None
    content = "\0".join((record_id, *(f"{name}={given[name]}" for name in sorted(given))))
    return Once(f"review:{form}", caller, hashlib.sha256(content.encode()).hexdigest())


FORM = re.compile(r"[0-9a-f-]{36}")
"""Of the id that each form carries."""

UNREADABLE = 422


def _shown(
    visit: Visit,
    logged: Logged,
    replay: Replayed | None = None,
    refused: Refusal | None = None,
    given: Mapping[str, str] | None = None,
) -> Response:
    status = UNREADABLE if refused else 200
    if logged.payload is None:
        return visit.show("case_erased.html", status=410, logged=logged, row=logged.row, later=later_of(logged))
    answer, request = logged.answer, logged.payload["request"]
    model = model_of(visit, logged)
    return visit.show(
        "case.html",
        status=status,
        row=logged.row,
        answer=answer,
        title=f"{histology_name(request['histology'])}, {therapy_name(request['therapy'])}",
        therapy_class=class_name(logged.row["therapy_class"]),
        unit=UNIT,
        base=base_probability(answer),
        comparators=comparators_of(answer),
        reasons=reasons_of(answer),
        sentences=in_words(answer),
        arms=arms_of(answer),
        unknowns=unknowns_of(answer),
        facts=facts_of(request),
        alterations=alterations_of(request),
        prior_therapies=prior_therapies_of(request),
        sensitivity=_sensitivity(request, model),
        alike=_alike(visit, logged),
        later=later_of(logged),
        shadows=shadows_of(logged),
        replay=replay,
        refused=refused,
        given=given or {},
        just_reviewed=visit.asked.get("reviewed") in {one for one, _, _ in VERDICTS},
        verdicts=VERDICTS,
        review_reasons=REASONS,
        form=new_id(),
    )


def model_of(visit: Visit, logged: Logged) -> ResponseModel | None:
    """Return the model that gave an answer: one that is served now, or its artefact; None when it is gone."""
    digest, predictor = logged.row["model_digest"], visit.state.get_predictor()
    for served in predictor.by_family.values() if predictor else ():
        if served.identity.digest == digest:
            return served
    try:
        return visit.state.artefacts.of(digest, logged.row["model_version"])
    except Refusal:  # of a format or vocabulary that this version no longer reads; the page says that it is gone
        return None


def _sensitivity(request: Mapping[str, Any], model: ResponseModel | None) -> Sensitivity | None:
    if model is None:
        return None
    try:
        return sensitivity(request, model)
    except Refusal:  # a vocabulary moved on: what could be read then cannot be read now
        return None


def _alike(visit: Visit, logged: Logged) -> Alike | None:
    if logged.row["status"] != "predicted":
        return None
    return alike(visit.reader, logged.row, logged.answer["groups"])


def contributions_csv(visit: Visit) -> Response:
    """Return every contribution of one answer as CSV."""
    logged = logged_prediction(visit)
    rows = [
        (one["group"], one["feature"], one["value"], one["unit"], one["log_odds"])
        for one in logged.answer["contributions"]
    ]
    head = ("group", "feature", "value", "unit", "contribution_log_odds")
    return visit.download(csv_bytes(head, rows), f"contributions-{logged.row['record_id']}.csv", CSV)


def sensitivity_csv(visit: Visit) -> Response:
    """Return every value that was tried and the probability it gives as CSV."""
    logged = logged_prediction(visit)
    if logged.payload is None:
        raise ErasedRecord("the values of this record were erased")
    found = _sensitivity(logged.payload["request"], model_of(visit, logged))
    rows = [
        (one.path, one.name, one.unit, tried.text, tried.probability, tried.here)
        for one in (found.varied if found else ())
        for tried in one.tried
    ]
    head = ("field", "name", "unit", "value", "probability", "as_in_the_case")
    return visit.download(csv_bytes(head, rows), f"sensitivity-{logged.row['record_id']}.csv", CSV)


def estimate_csv(visit: Visit) -> Response:
    """Return what the scale draws as CSV: the estimate, the average training case, and what published rivals say."""
    logged = logged_prediction(visit)
    answer = logged.answer
    interval = answer["interval"] or {"low": None, "high": None}
    rows: list[tuple[Any, ...]] = [
        ("this case", "probability", answer["probability"], interval["low"], interval["high"]),
        ("average training case", "probability", base_probability(answer), None, None),
    ]
    for name, value in answer["comparators"].items():
        scored = isinstance(value, dict)
        rows.append((name, "score" if scored else "rule", value["score"] if scored else value, None, None))
    head = ("what", "kind", "value", "low", "high")
    return visit.download(csv_bytes(head, rows), f"estimate-{logged.row['record_id']}.csv", CSV)


def similar_csv(visit: Visit) -> Response:
    """Return the similar past cases as CSV."""
    logged = logged_prediction(visit)
    found = _alike(visit, logged) if logged.payload else None
    head = ("record_id", "time", "lineage", "probability", "low", "high", "outcome", "distance")
    rows = [tuple(one[name] for name in head) for one in (found.rows if found else ())]
    return visit.download(csv_bytes(head, rows), f"similar-{logged.row['record_id']}.csv", CSV)
