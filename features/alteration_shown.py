"""How the features of alterations are shown to a person: which finding is behind each, and what was unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features import histology
from features.alteration_columns import COLUMNS, MATCH, MATCH_STATES, PLACE, STATUSES, TOGETHER, Status
from features.contract import Shown
from features.driver_classes import row as class_row
from features.finding_levels import assays, facts_of, from_blood, genes_tested_by
from features.matching import Match, match
from features.regimens import regimen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from features.batch import Batch, FloatArray
    from features.case import Alteration
    from features.finding_levels import LevelFacts

OLD_SPECIMEN_DAYS = 365.0
"""Days: a specimen older than a year at the index date may not show what the tumour is now; it warns."""

_STATE_TEXTS = {
    "matched": "the target is altered by a class the therapy needs",
    "wrong_class": "the target is altered, but not by a class the therapy needs",
    "unmatched": "the target was tested and is wild-type",
    "not_detected": "the target was not detected in blood, which is not wild-type",
    "untested": "the target was not tested",
    "not_applicable": "the therapy is not chosen by an alteration",
}
_REST_TEXTS = {
    "resistance_present": "an alteration that undoes the therapy",
    "match_evidence_level": "evidence for the match in this histology (3 label, 2 trial, 1 other histology, 0 none)",
    "match_clonality": "share of the tumour that carries the matched alteration",
    "passengers_log1p": "mutations without a curated class (log of 1 + count)",
    "clonal_haematopoiesis_log1p": "blood findings in genes of clonal haematopoiesis, set apart (log of 1 + count)",
    "findings_from_blood": "the findings come from blood, whose negatives are less certain",
    "specimens_disagree": "specimens differ in their drivers",
    "small_cell_transformation": "small-cell now, not at diagnosis",
}


@dataclass(frozen=True, slots=True)
class CaseFindings:
    """The findings of one case of a batch."""

    levels: tuple[Alteration, ...]
    facts: tuple[LevelFacts, ...]
    match: Match


def findings_of(batch: Batch, row: int) -> CaseFindings:
    """Return the findings of one case and their match with its therapy."""
    at = (batch.findings.row == row).nonzero()[0]
    levels = tuple(batch.findings.levels[code] for code in dict.fromkeys(batch.findings.codes[at].tolist()))
    which, kinds = assays(batch)
    tested = genes_tested_by(*kinds[int(which[row])]) if batch.findings_recorded[row] else None
    therapy, code = batch.texts["therapy"], batch.texts["histology"]
    lineage = histology.lineage(code.levels[code.codes[row]]) if code.codes[row] >= 0 else ()
    facts = regimen(therapy.levels[therapy.codes[row]])
    found = match(levels, tested, lineage, facts, blood=bool(from_blood(batch)[row] == 1.0))
    return CaseFindings(levels, tuple(facts_of(levels)), found)


def shown_of(batch: Batch, row: int, values: FloatArray) -> Sequence[Shown]:
    """Return one :class:`Shown` per feature, in the order of the columns."""
    found = findings_of(batch, row)
    shown = [_status(status, float(values[place]), found.facts) for place, status in enumerate(STATUSES)]
    for name, text, *_ in TOGETHER:
        shown.append(_flag(name, text, float(values[PLACE[name]]), (), ()))
    shown.append(_match(found.match))
    for column in COLUMNS[PLACE[MATCH_STATES[-1][0]] + 1 :]:
        sources = _behind(found.match, column.name)
        shown.append(
            _flag(column.name, _REST_TEXTS[column.name], float(values[PLACE[column.name]]), sources, (), column.unit)
        )
    return shown


def _behind(found: Match, name: str) -> tuple[str, ...]:
    if name == "resistance_present":
        return tuple(f"{one} ({class_row(one).source})" for one in found.resistance_ids)
    return found.sources if name == "match_evidence_level" else ()


def _match(found: Match) -> Shown:
    names = ", ".join(class_row(one).name for one in found.class_ids)
    text = _STATE_TEXTS[found.status] + (f": {names}" if names else "")
    unknown = (text,) if found.status in {"untested", "not_detected"} else ()
    return Shown(MATCH, "alterations", found.status, "", text, found.sources, unknown)


def _status(status: Status, value: float, facts: Iterable[LevelFacts]) -> Shown:
    behind = [f for f in facts if f.present >> STATUSES.index(status) & 1]
    texts = tuple(sorted({f"{f.reading.gene} {f.reading.text}" for f in behind}))
    sources = tuple(sorted({f"{one} ({class_row(one).source})" for f in behind for one in f.reading.narrowest}))
    return _flag(status.name, status.text, value, sources, texts)


def _flag(
    name: str, text: str, value: float, sources: tuple[str, ...], behind: tuple[str, ...], unit: str = "flag"
) -> Shown:
    if math.isnan(value):
        return Shown(name, "alterations", None, unit, f"{text}: unknown", (), (f"{text}: not tested or not recorded",))
    if unit != "flag":
        return Shown(name, "alterations", round(value, 6), unit, text, sources)
    said = f"{text}: {', '.join(behind) or 'yes'}" if value else f"{text}: no"
    return Shown(name, "alterations", bool(value), unit, said, sources)


def warnings_of(batch: Batch, row: int) -> Sequence[str]:
    """Return coded warnings about one case."""
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
