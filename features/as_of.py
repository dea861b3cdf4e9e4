"""A case as it stood some days earlier: what had been taken, given and known by then.

Used with serial ctDNA and long treatment histories (``--as-of``). Only dated entries can be moved or left out:

* a specimen taken later is left out, with its assay and findings; the age of the others shrinks;
* a regimen that had not started is left out; one that was still running loses its end and its best response;
* ``prior_lines`` stays when no regimen was left out, else it becomes unknown and follows from the list again;
* age shrinks by the days; everything else has no date, is kept, and is named in the warnings.

Assumption: the therapy at hand is the same question asked earlier, so it is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.case import Case, read_case
from features.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS_PER_YEAR = 365.25

UNDATED = ("histology_at_diagnosis", "stage", "tmb", "mmr", "patient")
"""Parts of a case that carry no date."""


class NotAnEarlierDate(Refusal):
    """The number of days to go back is not a finite number of 0 or more."""

    code = "not_an_earlier_date"


@dataclass(frozen=True, slots=True)
class AsOf:
    """A case at an earlier date, and what could not be dated.

    ``warnings`` are coded texts: ``undated_kept``, ``taken_later``, ``not_started``, ``still_running``,
    ``lines_unknown``.
    """

    case: Case
    warnings: tuple[str, ...]


def case_as_of(case: Case, days: float) -> Case:
    """Return the case as it stood ``days`` before its index date; see :func:`as_of` for the warnings.

    Examples
    --------
    >>> case = read_case({"histology": "LUAD", "therapy": {"agents": ["osimertinib"]}, "prior_therapies": [
    ...     {"agents": ["gefitinib"], "started_days_before_index": 400, "ended_days_before_index": 20}]})
    >>> earlier = case_as_of(case, 100).prior_therapies[0]
    >>> earlier.started_days_before_index, earlier.ended_days_before_index
    (300.0, None)
    """
    return as_of(case, days).case


def as_of(case: Case, days: float) -> AsOf:
    """Return the case at an earlier index date, with warnings.

    Parameters
    ----------
    case
        The case at its own index date. It is not changed.
    days
        How many days earlier, 0 or more.

    Raises
    ------
    NotAnEarlierDate
        When ``days`` is negative or not finite.
    """
    if not (math.isfinite(days) and days >= 0):
        raise NotAnEarlierDate(f"{days:g} is not a number of days to go back", way_out="Give 0 or more days.")
    if days == 0:
        return AsOf(case, ())
    raw = case.model_dump(mode="json", by_alias=True, exclude_none=True)
    warnings = [*_specimen(raw, days), *_specimens(raw, days), *_treatment(raw, days), *_undated(raw)]
    _age(raw, days)
    return AsOf(read_case(raw), tuple(warnings))


def _specimen(raw: dict[str, Any], days: float) -> Iterator[str]:
    if "specimens" in raw or not {"specimen", "alterations", "assay"}.intersection(raw):
        return
    age = raw.get("specimen", {}).get("days_before_index")
    if age is None:
        yield "undated_kept: the specimen has no date and is kept"
    elif age >= days:
        raw["specimen"]["days_before_index"] = age - days
    else:
        for field in ("specimen", "assay", "alterations", "tmb", "mmr"):
            raw.pop(field, None)
        yield "taken_later: the specimen was taken later; its findings, TMB and MMR status are left out"


def _specimens(raw: dict[str, Any], days: float) -> Iterator[str]:
    if "specimens" not in raw:
        return
    kept = []
    for place, specimen in enumerate(raw["specimens"]):
        age = specimen.get("days_before_index")
        if age is None:
            yield f"undated_kept: specimens[{place}] has no date and is kept"
        elif age < days:
            yield f"taken_later: specimens[{place}] was taken later and is left out"
            continue
        kept.append(specimen if age is None else {**specimen, "days_before_index": age - days})
    if kept:
        raw["specimens"] = kept
    else:
        del raw["specimens"]


def _treatment(raw: dict[str, Any], days: float) -> Iterator[str]:
    listed = raw.get("prior_therapies")
    if listed is None:
        yield from _unlisted(raw)
        return
    kept = []
    for place, regimen in enumerate(listed):
        moved, warning = _moved(regimen, days, f"prior_therapies[{place}]")
        kept.extend(moved)
        if warning:
            yield warning
    short = len(listed) < raw.get("prior_lines", 0)
    if len(kept) < len(listed):
        yield from _forget_number(raw)
    raw["prior_therapies"] = kept
    if short and not kept:
        del raw["prior_therapies"]


def _moved(regimen: dict[str, Any], days: float, path: str) -> tuple[list[dict[str, Any]], str]:
    """Return the regimen as it stood (none when it had not started) and a warning or ""."""
    started, ended = regimen.get("started_days_before_index"), regimen.get("ended_days_before_index")
    if started is not None and started <= days:
        return [], f"not_started: {path} had not started and is left out"
    moved = dict(regimen)
    if started is not None:
        moved["started_days_before_index"] = started - days
    if ended is not None and ended >= days:
        moved["ended_days_before_index"] = ended - days
        return [moved], ""
    if ended is None and started is None:
        return [moved], f"undated_kept: {path} has no date and is kept"
    moved.pop("ended_days_before_index", None)
    moved.pop("best_response", None)
    unsure = "" if started is not None else ", though its start is not recorded"
    return [moved], f"still_running: {path} had not ended; its end and best response are left out{unsure}"


def _unlisted(raw: dict[str, Any]) -> Iterator[str]:
    """Without a list, treatment that was given may have been given since: only "none" can be kept."""
    if raw.get("prior_systemic_therapy") or raw.get("prior_lines"):
        yield from _forget_number(raw)


def _forget_number(raw: dict[str, Any]) -> Iterator[str]:
    raw.pop("prior_systemic_therapy", None)
    if raw.pop("prior_lines", None) is not None:
        yield "lines_unknown: prior_lines held at the later date and is left out"


def _age(raw: dict[str, Any], days: float) -> None:
    patient = raw.get("patient", {})
    if "age_years" in patient:
        patient["age_years"] = max(0.0, patient["age_years"] - days / DAYS_PER_YEAR)


def _undated(raw: dict[str, Any]) -> Iterator[str]:
    kept = [field for field in UNDATED if field in raw]
    if kept:
        yield f"undated_kept: {', '.join(kept)} have no date and are kept"
