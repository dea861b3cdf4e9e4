"""The tumour-board sheet: one printed page for one case. The same record and models give the same bytes.

Nothing of the visit is on it: no caller, no session, no time but the answer's own. The options are computed for the
sheet with the models that are served, and are no answers of the log; the sheet says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.errors import Refusal
from serving.audit.refusals import ErasedRecord
from serving.pages.case_page import ADDRESS, logged_prediction
from serving.pages.case_view import (
    Arm,
    alterations_of,
    arms_of,
    comparators_of,
    histology_name,
    prior_therapies_of,
    therapy_name,
)
from serving.pages.foreign_text import foreign
from serving.pages.number_text import number
from serving.pages.reasons_view import reasons_of, unknowns_of
from serving.pages.rendering import page_response, rendered
from serving.pages.scales import UNIT
from serving.rank import rank

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.responses import Response

    from serving.pages.opening import Pages
    from serving.pages.visit import Visit
    from serving.predictor import Predictor

MOST_OPTIONS, MOST_FINDINGS, MOST_UNKNOWN = 8, 12, 12
"""What fits on one page; the rest is counted. Options of several endpoints share the room."""

FACTS: tuple[tuple[str, str, str], ...] = (
    ("stage", "Stage", ""),
    ("tmb.mut_per_mb", "TMB", "mut/Mb"),
    ("mmr.ihc", "MMR (IHC)", ""),
    ("mmr.msi_pcr", "MSI (PCR)", ""),
    ("mmr.reported", "MSI", ""),
    ("prior_lines", "Prior lines", ""),
    ("patient.age_years", "Age", "years"),
    ("patient.sex", "Sex", ""),
    ("patient.ecog", "ECOG", ""),
    ("patient.pdl1_tps_percent", "PD-L1 TPS", "%"),
    ("patient.pdl1_cps", "PD-L1 CPS", ""),
    ("patient.albumin_g_per_dl", "Albumin", "g/dL"),
    ("patient.nlr", "NLR", ""),
    ("patient.hemoglobin_g_per_dl", "Haemoglobin", "g/dL"),
    ("patient.ldh_ratio_to_upper_limit", "LDH / upper limit", ""),
    ("patient.brain_metastases", "Brain metastases", ""),
    ("patient.liver_metastases", "Liver metastases", ""),
    ("assay.panel", "Panel", ""),
)
"""What of a case a tumour board reads first, where it is known: path, name, unit."""


TARGETS = {
    "unmatched": "target not found",
    "wrong_class": "target altered in another class",
    "untested": "target not tested",
    "not_detected": "target not detected in blood",
}
"""What an option says of the alteration that it is chosen by (``match.status``); a match says nothing."""


@dataclass(frozen=True)
class Option:
    """One therapy of the ranking."""

    rank: int
    shared: bool
    therapy: str
    probability: float
    low: float
    high: float
    arm: Arm | None
    undone_by: str
    target: str
    asked: bool


@dataclass(frozen=True)
class Options:
    """The ranked therapies of one endpoint."""

    endpoint: str
    synthetic: bool
    total: int
    options: tuple[Option, ...]


def add_routes(pages: Pages) -> None:
    """Add the sheet."""
    pages.get(ADDRESS + "/sheet", sheet)


def sheet(visit: Visit) -> Response:
    """Show the sheet of one prediction.

    Raises
    ------
    ErasedRecord
        When there is nothing left to show.
    """
    logged = logged_prediction(visit)
    if logged.payload is None:
        raise ErasedRecord("the values of this record were erased")
    text = sheet_text(logged.row, logged.answer, logged.payload["request"], visit.state.get_predictor())
    return page_response(text)


def sheet_text(
    row: Mapping[str, Any], answer: Mapping[str, Any], request: Mapping[str, Any], predictor: Predictor | None
) -> str:
    """Return the sheet as HTML; a function of its arguments alone."""
    findings = alterations_of(request)
    moving, still = unknowns_of(answer)
    unknown = [*moving, *still]
    return rendered(
        "sheet.html",
        {
            "row": row,
            "answer": answer,
            "histology": histology_name(request["histology"]),
            "code": foreign(request["histology"], 20),
            "therapy": therapy_name(request["therapy"]),
            "facts": list(_facts(request)),
            "findings": findings[:MOST_FINDINGS],
            "more_findings": max(0, len(findings) - MOST_FINDINGS),
            "prior": prior_therapies_of(request)[:4],
            "unit": UNIT,
            "comparators": comparators_of(answer),
            "reasons": reasons_of(answer),
            "arms": arms_of(answer)[:3],
            "unknown": unknown[:MOST_UNKNOWN],
            "more_unknown": max(0, len(unknown) - MOST_UNKNOWN),
            "lists": options_of(request, predictor),
        },
    )


def _facts(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, name, unit in FACTS:
        found: Any = request
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None:
            yield name, f"{foreign(number(found), 40)} {unit}".strip()


def options_of(request: Mapping[str, Any], predictor: Predictor | None) -> tuple[Options, ...]:
    """Return the ranking of a logged case by the models that are served; empty when it cannot be ranked now."""
    if predictor is None:
        return ()
    raw = {name: value for name, value in request.items() if name != "therapy"}
    try:
        found = rank({**raw, "limit": MOST_OPTIONS}, predictor)
    except Refusal:  # a vocabulary moved on: what could be read then cannot be read now
        return ()
    here, most = therapy_name(request["therapy"]), max(2, MOST_OPTIONS // max(1, len(found["lists"])))
    return tuple(
        Options(str(one["endpoint"]), one["synthetic"], one["total"], tuple(_options(one["therapies"][:most], here)))
        for one in found["lists"]
    )


def _options(entries: Sequence[Mapping[str, Any]], here: str) -> Iterator[Option]:
    for entry in entries:
        answer, name = entry["answer"], therapy_name(entry["therapy"])
        arms = arms_of(answer)
        yield Option(
            rank=entry["rank"],
            shared=entry["shares_rank"],
            therapy=name,
            probability=answer["probability"],
            low=answer["interval"]["low"],
            high=answer["interval"]["high"],
            arm=arms[0] if arms else None,
            undone_by=", ".join(foreign(one, 40) for one in entry["undone_by"]["present"]),
            target=TARGETS.get(entry["match"]["status"], ""),
            asked=name == here,
        )
