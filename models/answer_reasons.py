"""Reasons and warnings of one answer: flags and counts put into words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.errors import listed
from features.histology import lineage
from features.matching import chosen_by
from features.regimens import regimen
from features.vocabulary import version as vocabulary_version
from models.applicability import blood_negative
from models.explanation import against_biology
from models.reason_codes import Reason, reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from features.contract import Shown
    from models.inputs import BoolArray
    from models.response import Answers

READ_BY_EVIDENCE = frozenset({"evidence", "histology", "alterations", "prior_lines", "therapy"})
"""Groups that published arms describe; the others go unused when the evidence stands alone."""

BIOMARKER = "biomarker"
"""Part of the evidence of a family whose arms are told apart by these."""

READ_AS_BIOMARKER = frozenset(
    {
        *("tmb_mut_per_mb", "tmb_within_histology", "tmb_exome_count"),
        *("mmr_deficient", "mmr_conflict", "pdl1_tps_percent", "pdl1_cps", "pdl1_ic_percent", "pdl1_tc_ic"),
    }
)
"""Features of other groups that such evidence reads (:mod:`features.evidence_profile`)."""

UNTESTED = "target_untested"
"""Column of targeted tables (:mod:`features.alteration_columns`)."""

NO_ARM_SAYS = frozenset({"last_response", "days_since_last_therapy", "match_clonality"})
"""Features of groups that arms describe, and which no arm does."""

IN_NO_TABLE = {"stage": "stage"}
"""Texts of a case that no feature is made of, by their names in words."""


def reasons_of(answers: Answers, row: int) -> list[Reason]:
    """Return why one case is abstained, in the order of the table of codes; empty when it is predicted."""
    return [reason(code, **_blanks(code, answers, row)) for code in answers.reason_codes(row)]


def warnings_of(answers: Answers, row: int, shown: Mapping[str, Shown]) -> list[Reason]:
    """Return what is said beside the answer: the models' warnings, then the builders'.

    A builder that says the histology is sparse says it better: it knows the levels it counted the case as.
    """
    of_builders = [Reason.read(text) for text in answers.model.table.warnings(answers.batch, row)]
    said = {one.code for one in of_builders}
    about = [
        one
        for one in _about_the_case(answers, row, shown)
        if one.code != "histology_rare" or "histology_sparse" not in said
    ]
    return [*about, *_about_the_model(answers), *of_builders]


def _blanks(code: str, answers: Answers, row: int) -> dict[str, object]:
    rules, settings = answers.model.applicability, answers.model.applicability.settings
    histology, key = _texts(answers, row)
    tissue, therapy_class = lineage(histology)[-1], regimen(key).therapy_class
    blanks: dict[str, dict[str, object]] = {
        "histology_too_few_cases": {
            "tissue": tissue,
            "cases": rules.histology_cases.get(tissue, 0),
            "fewest": settings.fewest_tissue_cases,
        },
        "therapy_class_unknown": {
            "therapy_class": therapy_class,
            "cases": rules.class_cases.get(therapy_class, 0),
            "fewest": settings.fewest_class_cases,
        },
        "outside_training_range": {"features": listed(_outside(answers, row, far=True))},
        "interval_too_wide": {"width": f"{_width(answers, row):.2f}", "widest": f"{settings.widest_interval:g}"},
        "blood_negative_for_driver": {"genes": listed(sorted(chosen_by(key)))},
    }
    if code == "key_inputs_missing":
        missing = _missing_keys(answers, row)
        known = len(answers.model.key_places) - len(missing)
        return {"known": known, "fewest": settings.fewest_key_inputs, "missing": listed(missing)}
    return blanks[code]


def _about_the_case(answers: Answers, row: int, shown: Mapping[str, Shown]) -> Iterator[Reason]:
    rules, settings = answers.model.applicability, answers.model.applicability.settings
    histology, key = _texts(answers, row)
    line, facts = lineage(histology), regimen(key)
    cases = rules.histology_cases.get(line[0], 0)
    if cases < settings.few_histology_cases:
        leaning = " and ".join(line[1:]) or "published arms and all other histologies"
        yield reason("histology_rare", histology=histology, cases=cases, lineage=leaning)
    of_class = rules.class_cases.get(facts.therapy_class, 0)
    if of_class < settings.fewest_class_cases and "therapy_class_unknown" not in answers.reason_codes(row):
        yield reason("therapy_class_rare", therapy_class=facts.therapy_class, cases=of_class)
    age = float(answers.batch.numbers["patient.age_years"][row])
    if settings.youngest_years is not None and age < settings.youngest_years:  # NaN, an unknown age, is not below
        yield reason("younger_than_asked", youngest=f"{settings.youngest_years:g}", age=f"{age:g}")
    if outside := _outside(answers, row, far=False):
        yield reason("outside_observed_range", features=listed(outside))
    if settings.wide_interval < (width := _width(answers, row)) <= settings.widest_interval:
        yield reason("interval_wide", width=f"{width:.2f}")
    yield from _about_the_inputs(answers, row, shown)


def _about_the_inputs(answers: Answers, row: int, shown: Mapping[str, Shown]) -> Iterator[Reason]:
    _, key = _texts(answers, row)
    if answers.model.applicability.settings.blood_negative == "warn" and _blood_negative(answers, row):
        yield reason("blood_negative", genes=listed(sorted(chosen_by(key))))
    if _untested(answers, row):
        yield reason("target_untested", genes=listed(sorted(chosen_by(key))))
    if missing := _missing_keys(answers, row):
        yield reason("key_inputs_unknown", missing=listed(missing))
    if against := against_biology(answers, row):
        yield reason("sign_disagrees", features=listed(against))
    if unused := _unused(answers, row, shown):
        yield reason("inputs_not_used", features=listed(unused))


def _about_the_model(answers: Answers) -> Iterator[Reason]:
    card = answers.model.card
    if card.get("synthetic"):
        yield reason("synthetic_model")
    if card.get("underpowered"):
        yield reason("underpowered")
    trained, running = str(card.get("vocabulary", "")), vocabulary_version()
    if trained != running:
        yield reason("vocabulary_changed", trained=trained, running=running)


def _untested(answers: Answers, row: int) -> bool:
    """Return whether the table says that the match of therapy and alteration was not tested."""
    columns = answers.model.table.columns
    place = next((at for at, column in enumerate(columns) if column.name == UNTESTED), None)
    return place is not None and bool(answers.inputs.matrix[row, place] == 1)


def _blood_negative(answers: Answers, row: int) -> bool:
    near, place = answers.batch.near(row)
    return bool(near.reading("blood is negative", blood_negative)[place])


def _texts(answers: Answers, row: int) -> tuple[str, str]:
    """Return histology and regimen key; every case has both."""
    texts = answers.batch.texts
    histology, therapy = texts["histology"], texts["therapy"]
    return histology.levels[histology.codes[row]], therapy.levels[therapy.codes[row]]


def _width(answers: Answers, row: int) -> float:
    return float(answers.scores.high[row] - answers.scores.low[row])


def _outside(answers: Answers, row: int, *, far: bool) -> list[str]:
    outside, far_outside = (flags[row] for flags in answers.outside)
    flags: BoolArray = far_outside if far else outside & ~far_outside
    columns = answers.model.table.columns
    return list(dict.fromkeys(columns[place].feature for place in np.flatnonzero(flags).tolist()))


def _missing_keys(answers: Answers, row: int) -> list[str]:
    columns, matrix = answers.model.table.columns, answers.inputs.matrix
    return [columns[place].feature for place in answers.model.key_places if np.isnan(matrix[row, place])]


def _unused(answers: Answers, row: int, shown: Mapping[str, Shown]) -> list[str]:
    terms = answers.model.terms
    if terms.linear is not None or terms.boosted is not None:
        return []
    evidence = answers.inputs.evidence
    read = READ_AS_BIOMARKER if evidence is not None and BIOMARKER in evidence.part_names else frozenset[str]()
    unread = (one for one in shown.values() if one.group not in READ_BY_EVIDENCE or one.feature in NO_ARM_SAYS)
    found = [one.feature for one in unread if one.value is not None and one.feature not in read]
    texts = answers.batch.texts
    return found + [words for path, words in IN_NO_TABLE.items() if texts[path].text(row) is not None]
