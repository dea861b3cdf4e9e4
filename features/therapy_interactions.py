"""Therapy interactions: a regimen in a tissue, for the alteration it is given for, and both together.

What a drug does in one tumour it may not do in another (BRAF inhibitors in melanoma and in the colorectum), nor in
another alteration of its gene (imatinib in KIT exon 11 and in D842V). Levels are learned from training cases and
nested: regimen; regimen in tissue; regimen for class; regimen in tissue for class; the same after another drug of the
same target; and where a finding undoes the drug (T790M under gefitinib, KRAS under cetuximab), the regimen undone, and
undone in its tissue for its class. Ridge on nested levels is partial pooling: a setting with few cases is drawn towards
its parents, one without a column *is* its parents, and all of them are what the evidence left over.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from features import histology
from features.contract import Shown
from features.finding_levels import distinct, facts_of
from features.matching import judge
from features.nested_levels import NestedLevelsBuilder
from features.regimens import regimen
from features.runs import Runs
from features.setting_text import setting_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.batch import Batch, IntArray
    from features.driver_classes import Reading

LEAST_CASES = 20
"""Training cases a level needs for a column, as for histology: at a rate of 0.25 their standard error is 0.1."""

FEATURE = "therapy_in_setting"
UNDONE = "therapy_undone"
"""The contribution of levels in which a finding undoes the regimen; how far these stray is found apart."""
FAMILIES = ("targeted",)
"""Checkpoint blockade is not chosen by an alteration; there the same levels made the log loss worse in resampling."""

Setting = tuple[str, str, str, bool, bool]
"""Regimen key, histology, class of the match, whether the same target was treated before, whether it is undone."""


@dataclass(frozen=True)
class TherapyInteractionsBuilder(NestedLevelsBuilder[Setting]):
    """The regimen in its setting, as nested levels, and undone in it, as a feature of its own.

    Never unknown: without a match there is no ``for``.

    Assumption: of several needed alterations in one case the first by name stands for the match; what undoes a drug
    does so alike, whichever alteration it is. A setting that training did not have falls to the levels it is part of.

    Attributes
    ----------
    levels
        Levels with a column, sorted: ``imatinib in SOFT_TISSUE for KIT_EXON_11``; empty before ``fit``.
    """

    name: ClassVar[str] = "therapy_interactions"
    families: ClassVar[tuple[str, ...]] = FAMILIES

    def settings(self, batch: Batch) -> tuple[list[Setting], IntArray]:
        """Return the different settings of a batch, and for each case the place of its own."""
        return settings_of(batch)

    def levels_in(self, setting: Setting) -> tuple[str, ...]:
        """Return the levels of a setting, the broadest first."""
        return levels_of(*setting)

    def feature_of(self, level: str) -> str:
        """Return the regimen in its setting, or undone in it."""
        return UNDONE if level.endswith(" undone") else FEATURE

    def fit(self, batch: Batch) -> Self:
        """Return the builder with the levels of these training cases; one as large as a level it is in gives way."""
        if not any(regimen(key).family == "targeted" for key in batch.texts["therapy"].levels):
            return type(self)()  # no level comes from other regimens: findings need not be read
        cases: Counter[str] = Counter()
        for setting, n in self.counted(batch):
            cases.update(dict.fromkeys(levels_of(*setting), n))
        broader = _broader(settings_of(batch)[0])
        kept = [
            level
            for level, n in cases.items()
            if LEAST_CASES <= n < batch.n and all(cases[one] > n for one in broader[level])
        ]
        return type(self)(tuple(sorted(kept)))

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return the narrowest level that has a column, and that in which the regimen is undone."""
        settings, place = settings_of(batch)
        known = self.known_in(settings[int(place[row])])
        plain, undone = ([one for one in known if one.endswith(" undone") == wanted] for wanted in (False, True))
        few = "this therapy in this setting has too few training cases of its own"
        text = setting_text(plain[-1]) if plain else few
        said = setting_text(undone[-1]) if undone else "no finding that undoes it was learned from training cases"
        return (
            Shown(FEATURE, self.group, plain[-1] if plain else None, "", text),
            Shown(UNDONE, self.group, undone[-1] if undone else None, "", said),
        )


@lru_cache(maxsize=65_536)
def levels_of(key: str, code: str, matched: str, again: bool, undone: bool = False) -> tuple[str, ...]:
    """Return the levels of a setting, the broadest first; none for a regimen that is not of the targeted family.

    Parameters
    ----------
    key, code, matched, again, undone
        Regimen key, OncoTree code ("" when unknown), the alteration class that makes the match ("" without one),
        whether a drug of the same target is known to have come before, and whether a finding undoes the regimen.

    Examples
    --------
    >>> levels_of("vemurafenib", "SKCM", "BRAF_V600E", False)[-1], levels_of("nivolumab", "SKCM", "", False)
    ('vemurafenib in SKIN for BRAF_V600E', ())
    """
    if not key or regimen(key).family != "targeted":
        return ()
    here = f"{key} in {histology.lineage(code)[-1]}" if code else ""
    given = f"{key} for {matched or 'no known match'}"
    both = f"{here} for {matched or 'no known match'}" if here else ""
    after = f"{both} after the same target" if both and again else ""
    broken = (f"{key} undone", f"{both} undone" if both else "") if undone else ()
    return tuple(level for level in (key, here, given, both, after, *broken) if level)


def _broader(settings: Sequence[Setting]) -> dict[str, tuple[str, ...]]:
    """Return, for each level, the levels that it is part of.

    Of the levels before it in :func:`levels_of` it is all; but a class is not part of a tissue, what is undone not of
    what came before, and the regimen undone only of the regimen.
    """
    found: dict[str, tuple[str, ...]] = {}
    for setting in settings:
        levels = levels_of(*setting)
        for place, level in enumerate(levels):
            before = levels[:place] if place > 2 else levels[: min(place, 1)]
            if level.endswith(" undone"):
                before = levels[:1] if level == f"{levels[0]} undone" else _not_after(before)
            found[level] = before
    return found


def _not_after(levels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(level for level in levels if not level.endswith(" after the same target"))


def settings_of(batch: Batch) -> tuple[list[Setting], IntArray]:
    """Return the different settings of a batch, and for each case the place of its own."""
    return batch.reading("settings of therapies", _read_settings)


def _read_settings(batch: Batch) -> tuple[list[Setting], IntArray]:
    therapy, code = batch.texts["therapy"], batch.texts["histology"]
    names, matched, undone = _matched(batch)
    width, deep = len(code.levels) + 1, len(names) + 1
    pairs = ((therapy.codes + 1) * width + code.codes + 1) * deep + matched + 1
    different, place = distinct(2 * (2 * pairs + _again(batch)) + undone)
    keys, codes, classes = ("", *therapy.levels), ("", *code.levels), ("", *names)
    found = []
    for one in different.tolist():
        pair, of_class = divmod(one // 4, deep)
        of_therapy, of_code = divmod(pair, width)
        found.append((keys[of_therapy], codes[of_code], classes[of_class], one // 2 % 2 == 1, one % 2 == 1))
    return found, place


def _matched(batch: Batch) -> tuple[list[str], IntArray, IntArray]:
    """Return the classes that make matches, sorted; for each case which one does, -1 for none; and 1 where undone."""
    findings, therapy = batch.findings, batch.texts["therapy"]
    facts = facts_of(findings.levels)
    may_match = np.array([fact.status == "present" and bool(fact.reading.classes) for fact in facts], dtype=np.bool_)
    at = may_match[findings.codes].nonzero()[0]  # most findings are passengers: to sort them all would take longest
    if not at.size:
        return [], np.full(batch.n, -1, dtype=np.int64), np.zeros(batch.n, dtype=np.int64)
    rows = findings.row[at]
    pairs, place = distinct(findings.codes[at] * (len(therapy.levels) + 1) + therapy.codes[rows] + 1)
    keys = ("", *therapy.levels)
    judged = []
    for one in pairs.tolist():
        level, of_therapy = divmod(one, len(keys))
        judged.append(_judged(facts[level].reading, keys[of_therapy]))
    names = sorted({name for name, _ in judged if name})
    number = np.array([names.index(name) if name else len(names) for name, _ in judged], dtype=np.float64)
    runs = Runs.of(rows, batch.n)
    first = -runs.highest(-number[place])
    undone: IntArray = runs.union(np.array([int(one) for _, one in judged], dtype=np.int64)[place][None, :])[0]
    return names, np.where(first < len(names), first, -1).astype(np.int64), undone


def _again(batch: Batch) -> IntArray:
    """Return 1 where an earlier regimen has a target of the one at hand, 0 where none is known to; shape (n,)."""
    priors, therapy = batch.priors, batch.texts["therapy"]
    if not priors.row.size:
        return np.zeros(batch.n, dtype=np.int64)
    keys, width = ("", *therapy.levels), len(priors.regimen.levels) + 1
    pairs, place = distinct((therapy.codes[priors.row] + 1) * width + priors.regimen.codes + 1)
    before = ("", *priors.regimen.levels)
    same = [int(_same_target(keys[one // width], before[one % width])) for one in pairs.tolist()]
    again: IntArray = Runs.of(priors.row, batch.n).union(np.array(same, dtype=np.int64)[place][None, :])[0]
    return again


@lru_cache(maxsize=65_536)
def _same_target(key: str, before: str) -> bool:
    return bool(key and before and regimen(key).targets & regimen(before).targets)


@lru_cache(maxsize=65_536)
def _judged(reading: Reading, key: str) -> tuple[str, bool]:
    """Return the narrowest class of a finding that its regimen needs, "" when it needs none, and if one undoes it."""
    if not key:
        return "", False
    verdict = judge(reading, key)
    matched = (reading.narrowest or verdict.matches)[0] if verdict.matches else ""
    return matched, bool(verdict.undoes)
