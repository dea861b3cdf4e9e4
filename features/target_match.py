"""Match columns: a batch's therapies against its findings, judged once per different pair.

The rules are those of :mod:`features.matching`; here they are gathered to cases without a loop over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features import histology
from features.finding_levels import distinct, genes_tested_by
from features.match_levels import LEVEL_SCORE, level_of
from features.matching import judge, needs_of, negates, tested_bits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray, IntArray
    from features.finding_levels import Assays, LevelFacts

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class MatchColumns:
    """One-hot states by name, resistance (1, 0, NaN), level 0 to 3, clonality of the matched finding 0 to 1 or NaN."""

    states: Mapping[str, BoolArray]
    resistance: FloatArray
    level: FloatArray
    clonality: FloatArray


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Findings with a class, each judged for its case's regimen: flags and the level's score, shape (k,)."""

    finding: IntArray
    rows: IntArray
    matches: BoolArray
    undoes: BoolArray
    wrong: BoolArray
    score: FloatArray


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
    pairs = _judged(batch, facts)
    n = batch.n
    matched = _any(pairs.rows[pairs.matches], n)
    wrong = _any(pairs.rows[pairs.wrong], n) & ~matched
    undone = _any(pairs.rows[pairs.undoes], n)
    level = np.zeros(n)
    np.maximum.at(level, pairs.rows[pairs.matches], pairs.score[pairs.matches])
    needed, firm, any_negative = _negatives(batch, facts, blood, assayed)
    rest = ~matched & ~wrong & needed
    states = {
        "matched": matched,
        "wrong_class": wrong,
        "unmatched": rest & firm,
        "not_detected": rest & ~firm & any_negative,
        "untested": rest & ~firm & ~any_negative,
    }
    return MatchColumns(states, _resistance(batch, undone, blood, of_tumour), level, _clonality(batch, facts, pairs))


def _any(rows: IntArray, n: int) -> BoolArray:
    found = np.zeros(n, dtype=np.bool_)
    found[rows] = True
    return found


def _judged(batch: Batch, facts: Sequence[LevelFacts]) -> _Pairs:
    """Judge each different (finding, regimen, histology) once and gather it to the findings that have a class."""
    findings, therapy, code = batch.findings, batch.texts["therapy"], batch.texts["histology"]
    speaks = np.array([f.status == "present" and bool(f.reading.classes) for f in facts], dtype=np.bool_)
    at = np.flatnonzero(speaks[findings.codes]) if len(facts) else np.empty(0, dtype=np.int64)
    rows = findings.row[at]
    width = len(code.levels) + 1
    key = (findings.codes[at] * len(therapy.levels) + therapy.codes[rows]) * width + code.codes[rows] + 1
    different, inverse = distinct(key)
    lineages = ((), *(histology.lineage(level) for level in code.levels))
    table = np.array([_verdict(one, facts, therapy.levels, lineages) for one in different.tolist()], dtype=np.float64)
    judged = table.reshape(-1, 4)[inverse]
    return _Pairs(at, rows, judged[:, 0] == 1, judged[:, 1] == 1, judged[:, 2] == 1, judged[:, 3])


def _verdict(
    key: int, facts: Sequence[LevelFacts], regimens: Sequence[str], lineages: Sequence[tuple[str, ...]]
) -> tuple[bool, bool, bool, float]:
    key, lineage = divmod(key, len(lineages))
    level, regimen = divmod(key, len(regimens))
    reading = facts[level].reading
    verdict = judge(reading, regimens[regimen])
    score = LEVEL_SCORE[level_of(regimens[regimen], reading.classes, lineages[lineage])[0]] if verdict.matches else 0.0
    return bool(verdict.matches), bool(verdict.undoes), verdict.wrong_class, score


def _negatives(
    batch: Batch, facts: Sequence[LevelFacts], blood: FloatArray, assayed: Assays
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Return per case: something is needed; all of it firmly ruled out; all of it ruled out, blood included."""
    therapy = batch.texts["therapy"]
    full = np.array([needs_of(key).all_bits for key in therapy.levels], dtype=np.int64)[therapy.codes]
    in_blood = blood == 1.0
    by_assay = np.where(batch.findings_recorded, _assay_bits(batch, assayed), 0)
    firm, soft = np.where(in_blood, 0, by_assay), by_assay.copy()
    negative = np.array([f.status != "present" for f in facts], dtype=np.bool_)
    if negative.any():
        rows, bits, is_firm = _negative_findings(batch, facts, negative)
        is_firm &= ~in_blood[rows]
        np.bitwise_or.at(soft, rows, bits)
        np.bitwise_or.at(firm, rows[is_firm], bits[is_firm])
    _forget_unreadable(batch, facts, firm, soft)
    return full > 0, firm == full, soft == full


def _forget_unreadable(batch: Batch, facts: Sequence[LevelFacts], firm: IntArray, soft: IntArray) -> None:
    """A finding that cannot be read leaves its gene unknown: take the gene's bit out of both masks."""
    unread = np.array([bool(f.reading.unreadable) for f in facts], dtype=np.bool_)
    if not unread.any():
        return
    therapy, findings = batch.texts["therapy"], batch.findings
    for at in np.flatnonzero(unread[findings.codes]).tolist():
        case = findings.row[at]
        bit = needs_of(therapy.levels[therapy.codes[case]]).bit_of(facts[findings.codes[at]].reading.gene)
        firm[case] &= ~bit
        soft[case] &= ~bit


def _assay_bits(batch: Batch, assayed: Assays) -> IntArray:
    which, kinds = assayed
    therapy = batch.texts["therapy"]
    different, inverse = distinct(which * len(therapy.levels) + therapy.codes)
    bits = []
    for assay, regimen in (divmod(one, len(therapy.levels)) for one in different.tolist()):
        tested = genes_tested_by(*kinds[assay])
        bits.append(0 if tested is None else tested_bits(tested, therapy.levels[regimen]))
    return np.array(bits, dtype=np.int64)[inverse]


def _negative_findings(
    batch: Batch, facts: Sequence[LevelFacts], negative: BoolArray
) -> tuple[IntArray, IntArray, BoolArray]:
    findings, therapy = batch.findings, batch.texts["therapy"]
    at = np.flatnonzero(negative[findings.codes])
    rows = findings.row[at]
    different, inverse = distinct(findings.codes[at] * len(therapy.levels) + therapy.codes[rows])
    pairs = [divmod(one, len(therapy.levels)) for one in different.tolist()]
    bits = np.array(
        [negates(findings.levels[code], therapy.levels[regimen]) for code, regimen in pairs], dtype=np.int64
    )
    is_firm = np.array([facts[code].status == "absent" for code, _ in pairs], dtype=np.bool_)
    return rows, bits[inverse], is_firm[inverse]


def _resistance(batch: Batch, undone: BoolArray, blood: FloatArray, of_tumour: BoolArray) -> FloatArray:
    """Return 1 present, 0 findings were recorded and none undoes, NaN unknown (also blood without tumour DNA)."""
    silent = ~batch.findings_recorded | ((blood == 1.0) & ~of_tumour)
    return np.where(undone, 1.0, np.where(silent, np.nan, 0.0))


def _clonality(batch: Batch, facts: Sequence[LevelFacts], pairs: _Pairs) -> FloatArray:
    """Return the clonality of the matched finding: its cancer-cell fraction, else its allele fraction over the highest.

    The highest is taken over somatic findings outside clonal haematopoiesis of the case. Of several matched findings
    the most clonal counts. NaN without a match or a number.
    """
    findings = batch.findings
    found = np.full(batch.n, -1.0)
    if not pairs.matches.any():
        return np.full(batch.n, np.nan)
    tumour = np.array([f.of_tumour for f in facts], dtype=np.bool_)[findings.codes] & ~np.isnan(findings.vaf)
    highest = np.zeros(batch.n)
    np.maximum.at(highest, findings.row[tumour], findings.vaf[tumour])
    at, rows = pairs.finding[pairs.matches], pairs.rows[pairs.matches]
    top = np.where(highest[rows] > 0, highest[rows], np.nan)
    value = np.where(
        np.isnan(findings.cancer_cell_fraction[at]), findings.vaf[at] / top, findings.cancer_cell_fraction[at]
    )
    known = ~np.isnan(value)
    np.maximum.at(found, rows[known], np.minimum(value[known], 1.0))
    return np.where(found < 0, np.nan, found)
