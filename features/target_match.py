"""Match columns: a batch's therapies against its findings, judged once per different pair.

The rules are those of :mod:`features.matching`; here they are gathered to cases without a loop over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from features import histology
from features.finding_levels import distinct, genes_tested_by
from features.match_levels import LEVEL_SCORE, level_of
from features.matching import judge, needs_of, needs_tested_by, negates
from features.remembered import MOST_FINDINGS
from features.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray, IntArray
    from features.case import Alteration
    from features.driver_classes import Reading
    from features.finding_levels import Assays, LevelFacts

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

_MATCHES, _UNDOES, _WRONG = 1, 2, 4
"""Bits of what a finding means for the therapy of its case."""
_LEVEL_AT = 3
"""From this bit on the strength of the evidence, one bit for each step, so that a union is the strongest."""
_LEVELS = np.array([0.0, 1.0, np.nan, 2.0, np.nan, np.nan, np.nan, 3.0])
"""Strength by those bits; the rest cannot occur."""


@dataclass(frozen=True, slots=True)
class MatchColumns:
    """One-hot states by name, resistance (1, 0, NaN), level 0 to 3, clonality of the matched finding 0 to 1 or NaN."""

    states: Mapping[str, BoolArray]
    resistance: FloatArray
    level: FloatArray
    clonality: FloatArray


@dataclass(frozen=True, slots=True)
class _Judged:
    """Findings that say something, each judged for its case's regimen; arrays (k,) and four rows of bits (4, k).

    The rows are the meanings above, the needed genes it rules out (firmly; or at all), those it leaves unknown.
    """

    finding: IntArray
    rows: IntArray
    bits: IntArray


def match_columns(
    batch: Batch, facts: Sequence[LevelFacts], blood: FloatArray, of_tumour: BoolArray, assayed: Assays
) -> MatchColumns:
    """Return the match of every case of a batch.

    Parameters
    ----------
    facts
        Of the levels of ``batch.findings``.
    blood
        Shape (n,): 1 where the findings come from blood.
    of_tumour
        Shape (n,): the findings show tumour DNA, so that blood may say that resistance was not found.
    assayed
        :func:`features.finding_levels.assays` of the batch.
    """
    judged, in_blood = _judged(batch, facts), blood == 1.0
    means, firm, soft, unread = Runs.of(judged.rows, batch.n).union(judged.bits)
    needed, tested = _needed_and_tested(batch, assayed)
    known = ~unread
    ruled_out = np.where(in_blood, 0, firm | tested) & known == needed
    not_seen = (soft | tested) & known == needed
    matched = means & _MATCHES > 0
    wrong = (means & _WRONG > 0) & ~matched
    rest = (needed > 0) & ~matched & ~wrong
    states = {
        "matched": matched,
        "wrong_class": wrong,
        "unmatched": rest & ruled_out,
        "not_detected": rest & not_seen & ~ruled_out,
        "untested": rest & ~not_seen & ~ruled_out,
    }
    silent = ~batch.findings_recorded | (in_blood & ~of_tumour)
    resistance = np.where(means & _UNDOES > 0, 1.0, np.where(silent, np.nan, 0.0))
    return MatchColumns(states, resistance, _LEVELS[means >> _LEVEL_AT], _clonality(batch, facts, judged))


def _judged(batch: Batch, facts: Sequence[LevelFacts]) -> _Judged:
    """Judge each different (finding, regimen, histology) once and gather it to the findings that say something."""
    findings, therapy, code = batch.findings, batch.texts["therapy"], batch.texts["histology"]
    heard = np.array([speaks(fact) for fact in facts], dtype=np.bool_)
    at = heard[findings.codes].nonzero()[0]
    rows = findings.row[at]
    width = len(code.levels) + 1
    key = (findings.codes[at] * len(therapy.levels) + therapy.codes[rows]) * width + code.codes[rows] + 1
    different, inverse = distinct(key)
    histologies = (None, *code.levels)
    table = []
    for one in different.tolist():
        pair, place = divmod(one, width)
        level, regimen = divmod(pair, len(therapy.levels))
        table.append(_bits(findings.levels[level], facts[level], therapy.levels[regimen], histologies[place]))
    return _Judged(at, rows, np.array(table, dtype=np.int64).reshape(-1, 4).T[:, inverse])


def speaks(fact: LevelFacts) -> bool:
    """Return whether a finding can mean anything for a therapy: a passenger that is present cannot."""
    return bool(fact.reading.classes or fact.reading.unreadable) or fact.status != "present"


def _bits(level: Alteration, fact: LevelFacts, regimen: str, code: str | None) -> tuple[int, int, int, int]:
    if fact.status == "present" and not fact.reading.unreadable:
        return _bits_of_present(fact.reading, regimen, code)
    unread = needs_of(regimen).bit_of(fact.reading.gene) if fact.reading.unreadable else 0
    soft = negates(level, regimen) if fact.status != "present" else 0
    return 0, soft if fact.status == "absent" else 0, soft, unread


@lru_cache(maxsize=MOST_FINDINGS)
def _bits_of_present(reading: Reading, regimen: str, code: str | None) -> tuple[int, int, int, int]:
    verdict = judge(reading, regimen)
    means = _MATCHES * bool(verdict.matches) + _UNDOES * bool(verdict.undoes) + _WRONG * verdict.wrong_class
    if verdict.matches:
        lineage = () if code is None else histology.lineage(code)
        level = int(LEVEL_SCORE[level_of(regimen, reading.classes, lineage)[0]])
        means |= ((1 << level) - 1) << _LEVEL_AT
    return means, 0, 0, 0


def _needed_and_tested(batch: Batch, assayed: Assays) -> tuple[IntArray, IntArray]:
    """Return the needed genes of every case as a mask, and those of them that its assay tested."""
    which, kinds = assayed
    therapy = batch.texts["therapy"]
    different, inverse = distinct(which * len(therapy.levels) + therapy.codes)
    table = []
    for assay, regimen in (divmod(one, len(therapy.levels)) for one in different.tolist()):
        tested, key = genes_tested_by(*kinds[assay]), therapy.levels[regimen]
        table.append((needs_of(key).all_bits, 0 if tested is None else needs_tested_by(tested, key)))
    needed, covered = np.array(table, dtype=np.int64).reshape(-1, 2).T[:, inverse]
    return needed, covered * batch.findings_recorded


def _clonality(batch: Batch, facts: Sequence[LevelFacts], judged: _Judged) -> FloatArray:
    """Return the clonality of the matched finding: its cancer-cell fraction, else its allele fraction over the highest.

    The highest is taken over somatic findings outside clonal haematopoiesis of the case. Of several matched findings
    the most clonal counts. NaN without a match or a number.
    """
    findings = batch.findings
    matched = (judged.bits[0] & _MATCHES).nonzero()[0]
    if not matched.size:
        return np.full(batch.n, np.nan)
    at, rows = judged.finding[matched], judged.rows[matched]
    value, vaf = findings.cancer_cell_fraction[at], findings.vaf
    unknown = np.isnan(value)
    if unknown.any():
        tumour = np.array([f.of_tumour for f in facts], dtype=np.bool_)[findings.codes]
        highest = _highest(np.where(tumour & (vaf > 0), vaf, np.nan), findings.row, batch.n)
        value = np.where(unknown, vaf[at] / highest[rows], value)
    return _highest(np.minimum(value, 1.0), rows, batch.n)


def _highest(values: FloatArray, rows: IntArray, n: int) -> FloatArray:
    """Return the highest known value of each case, NaN where there is none."""
    found = Runs.of(rows, n).highest(np.where(np.isnan(values), -np.inf, values))
    found[found == -np.inf] = np.nan
    return found
