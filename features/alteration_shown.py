"""How the features of alterations are shown to a person: which finding is behind each, and what was unknown.

A text is a noun phrase that stands alone in a list: ``KRAS mutation (G12C)``, ``no EGFR driver``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from features import histology
from features.alteration_columns import PLACE, STATUSES, TOGETHER, Status
from features.alteration_match_shown import shown_match
from features.contract import Shown
from features.driver_classes import row as class_row
from features.finding_levels import assays, facts_of, from_blood, genes_tested_by
from features.matching import Match, match
from features.regimens import regimen
from features.target_match import speaks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from features.batch import Batch, FloatArray
    from features.finding_levels import LevelFacts

OLD_SPECIMEN_DAYS = 365.0
"""Days: a specimen older than a year at the index date may not show what the tumour is now; it warns."""

MOST_NAMED = 2
"""Findings a text names; the rest are counted."""

_UNREADABLE = "a finding in this gene could not be read"
_NOT_RECORDED = "no list of findings was given"


@dataclass(frozen=True, slots=True)
class CaseFindings:
    """The findings of one case: its regimen key, the facts of its distinct findings, their match, and the specimen."""

    regimen: str
    facts: tuple[LevelFacts, ...]
    match: Match
    recorded: bool
    blood: bool


def findings_of(batch: Batch, row: int) -> CaseFindings:
    """Return the findings of one case of a batch and their match with its therapy."""
    near, place = batch.near(row)
    return near.reading(f"findings of {place}", lambda them: _findings_of(them, place))


def _findings_of(batch: Batch, row: int) -> CaseFindings:
    levels, recorded = batch.findings.levels_of(row), bool(batch.findings_recorded[row])
    which, kinds = batch.reading("assays", assays)
    tested = genes_tested_by(*kinds[which[row]]) if recorded else None
    code, key = batch.texts["histology"].text(row), batch.texts["therapy"].text(row) or ""
    blood = bool(batch.reading("from blood", from_blood)[row] == 1.0)
    facts = tuple(facts_of(levels))
    speaking = [level for level, fact in zip(levels, facts, strict=True) if speaks(fact)]
    found = match(speaking, tested, histology.lineage(code) if code else (), regimen(key), blood=blood)
    return CaseFindings(key, facts, found, recorded, blood)


def shown_of(batch: Batch, row: int, values: FloatArray) -> Sequence[Shown]:
    """Return one :class:`Shown` per feature of one case of a batch, in the order of the columns.

    Parameters
    ----------
    values
        Its columns, shape (len(COLUMNS),).
    """
    found, numbers = findings_of(batch, row), values.tolist()
    silent = _why_unknown(found)
    unreadable = {fact.reading.gene for fact in found.facts if fact.reading.unreadable} if found.recorded else set()
    return (
        *(_status(status, place, numbers[place], found, silent, unreadable) for place, status in enumerate(STATUSES)),
        *(_together(name, text, numbers[PLACE[name]]) for name, text, *_ in TOGETHER),
        *shown_match(found.regimen, found.facts, found.match, numbers),
        _passengers(numbers[PLACE["passengers_log1p"]]),
        _haematopoiesis(numbers[PLACE["clonal_haematopoiesis_log1p"]], found),
        _from_blood(numbers[PLACE["findings_from_blood"]], found),
        _disagreement(numbers[PLACE["specimens_disagree"]]),
        _transformation(numbers[PLACE["small_cell_transformation"]]),
    )


def _shown(
    feature: str, value: float | str | bool | None, text: str, unknown: str = "", sources: Iterable[str] = ()
) -> Shown:
    return Shown(feature, "alterations", value, "", text, tuple(sources), (unknown,) if unknown else ())


def _status(status: Status, place: int, value: float, found: CaseFindings, silent: str, unreadable: set[str]) -> Shown:
    if math.isnan(value):
        return _unknown(place, _UNREADABLE if unreadable.intersection(status.genes) else silent)
    if not value:
        return _absent(place, found.blood)
    behind = [fact.reading for fact in found.facts if fact.present >> place & 1]
    gene_is_said = len(status.genes) == 1 and " or " not in status.text
    names = sorted({_named(reading.gene, reading.text, gene_is_said) for reading in behind})
    sources = sorted({f"{one} ({class_row(one).source})" for reading in behind for one in reading.narrowest})
    return _shown(status.name, True, f"{status.text} ({listed(names)})", sources=sources)


def _named(gene: str, text: str, gene_is_said: bool) -> str:
    return text if gene_is_said or "::" in text else f"{gene} {text}"


def listed(names: Sequence[str]) -> str:
    """Return names as a short list.

    Examples
    --------
    >>> listed(["KRAS G12C", "EGFR L858R", "BRAF V600E", "MET amplification"])
    'KRAS G12C, EGFR L858R, +2'
    """
    more = [f"+{len(names) - MOST_NAMED}"] if len(names) > MOST_NAMED else []
    return ", ".join([*names[:MOST_NAMED], *more])


def _why_unknown(found: CaseFindings) -> str:
    """Return why statuses of a case are unknown, "" where it is for each that its genes were not tested."""
    if not found.recorded:
        return _NOT_RECORDED
    in_blood = found.blood and not any(fact.of_tumour for fact in found.facts)
    return "blood without a sign of tumour DNA" if in_blood else ""


@lru_cache(maxsize=1024)
def _unknown(place: int, why: str) -> Shown:
    status = STATUSES[place]
    untested = f"not reported, and no assay that tested {', '.join(status.genes)}"
    return _shown(status.name, None, f"{status.text} not known", why or untested)


@lru_cache(maxsize=1024)
def _absent(place: int, blood: bool) -> Shown:
    status = STATUSES[place]
    return _shown(status.name, False, f"no {status.text}{' in blood' if blood else ''}")


def _together(name: str, text: str, value: float) -> Shown:
    if math.isnan(value):
        return _shown(name, None, f"{text} not known", "at least one of the two is not known")
    return _shown(name, bool(value), text if value else f"no {text}")


def _passengers(log1p: float) -> Shown:
    if math.isnan(log1p):
        return _shown("passengers_log1p", None, "number of passenger mutations not known", _NOT_RECORDED)
    count = round(math.expm1(log1p))
    text = f"{count or 'no'} passenger mutation{'' if count == 1 else 's'}"
    return _shown("passengers_log1p", count, text)


def _haematopoiesis(log1p: float, found: CaseFindings) -> Shown:
    feature = "clonal_haematopoiesis_log1p"
    if math.isnan(log1p):
        why = "told apart in blood only" if found.recorded else _NOT_RECORDED
        return _shown(feature, None, "clonal haematopoiesis not known", why)
    count = round(math.expm1(log1p))
    text = f"{count or 'no'} clonal-haematopoiesis finding{'' if count == 1 else 's'} in blood"
    return _shown(feature, count, text)


def _from_blood(value: float, found: CaseFindings) -> Shown:
    if math.isnan(value):
        why = "neither the specimen nor its panel says tissue or blood" if found.recorded else _NOT_RECORDED
        return _shown("findings_from_blood", None, "source of the findings not known", why)
    source = "blood" if value else "tissue"
    return _shown("findings_from_blood", source, f"findings from {source}")


def _disagreement(value: float) -> Shown:
    if math.isnan(value):
        text = "agreement of specimens not known"
        return _shown("specimens_disagree", None, text, "there is no second specimen with findings")
    return _shown(
        "specimens_disagree", bool(value), f"specimens with {'different drivers' if value else 'the same drivers'}"
    )


def _transformation(value: float) -> Shown:
    text = "small-cell transformation"
    return _shown("small_cell_transformation", bool(value), text if value else f"no {text} recorded")


def warnings_of(batch: Batch, row: int) -> Sequence[str]:
    """Return coded warnings about one case of a batch."""
    return (*_specimen_warnings(batch, row), *_finding_warnings(findings_of(batch, row)))


def _specimen_warnings(batch: Batch, row: int) -> list[str]:
    days = float(batch.numbers["specimen.days_before_index"][row])
    if days > OLD_SPECIMEN_DAYS:
        return [
            f"old_specimen: the specimen was {days:.0f} days old at the index date, more than {OLD_SPECIMEN_DAYS:.0f}"
        ]
    return []


def _finding_warnings(found: CaseFindings) -> list[str]:
    warned = [
        f"unreadable_alteration: {f.reading.unreadable}; it counts as unknown"
        for f in found.facts
        if f.reading.unreadable
    ]
    if found.match.resistance_ids:
        names = ", ".join(class_row(one).name for one in found.match.resistance_ids)
        warned.append(f"resistance: {names} is known to undo this therapy")
    if found.match.status == "wrong_class":
        names = ", ".join(class_row(one).name for one in found.match.class_ids)
        warned.append(f"wrong_class: {names} is not what this therapy needs")
    if found.match.status == "not_detected":
        warned.append("not_detected: the target was not found in blood; this is not a wild-type result")
    return warned
