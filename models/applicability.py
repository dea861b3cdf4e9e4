"""Applicability: for which cases an answer is given, and what is said beside it.

Flags are arrays, computed for many cases at once (per histology, per regimen, per column); words are made for the
cases that are shown. Everything learned here is counts and ranges of the training cases, never a case.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from features.batch import Coded
from features.histology import lineage
from features.matching import chosen_by
from features.regimens import regimen
from models.settings import ApplicabilitySettings, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from features.batch import Batch
    from features.contract import Column
    from models.inputs import BoolArray, FeatureLike, FloatArray, Inputs, IntArray

BLOOD = "blood"

MOST_LEVELS = 6
"""Levels of OncoTree's longest lineage: tissue, and five below it."""


@dataclass(frozen=True, eq=False)
class Applicability:
    """What training cases there were, and the thresholds.

    Attributes
    ----------
    settings
        Thresholds, from the experiment file.
    histology_cases
        Training cases by OncoTree code, each case counted at every level of its lineage.
    class_cases
        Training cases by therapy class.
    alike_cases
        Training cases by histology and therapy class, as ``LUAD|pd1_pdl1``, counted at every level of the lineage too.
    low, high, spread
        Shape (p,): range and standard deviation of the numbers of training cases; NaN for flags and for columns
        never known.
    """

    settings: ApplicabilitySettings
    histology_cases: Mapping[str, int]
    class_cases: Mapping[str, int]
    alike_cases: Mapping[str, int]
    low: FloatArray
    high: FloatArray
    spread: FloatArray

    @classmethod
    def fit(
        cls, batch: Batch, matrix: FloatArray, columns: Sequence[Column], settings: ApplicabilitySettings
    ) -> Applicability:
        """Count training cases and measure their ranges; outcomes are not seen."""
        number = np.array([column.unit != "flag" for column in columns], dtype=np.bool_)
        known = ~np.isnan(matrix) & number
        some = known.any(axis=0)
        low = np.where(some, np.min(matrix, axis=0, where=known, initial=np.inf), np.nan)
        high = np.where(some, np.max(matrix, axis=0, where=known, initial=-np.inf), np.nan)
        spread = np.full(len(low), np.nan)
        spread[some] = [float(np.std(matrix[known[:, j], j])) for j in np.flatnonzero(some)]
        histologies = _counted(batch.texts["histology"], lineage)
        classes = _counted(batch.texts["therapy"], lambda key: (regimen(key).therapy_class,))
        return cls(settings, histologies, classes, _counted(alike(batch), _lineage_of_pair), low, high, spread)

    def histology_support(self, batch: Batch) -> tuple[FloatArray, FloatArray]:
        """Return training cases of each case's histology and of its tissue, shape (n,) each."""
        codes = batch.texts["histology"]
        return (
            codes.gather(lambda code: self.histology_cases.get(lineage(code)[0], 0), unknown=0.0),
            codes.gather(lambda code: self.histology_cases.get(lineage(code)[-1], 0), unknown=0.0),
        )

    def lineage_support(self, batch: Batch) -> tuple[FloatArray, FloatArray]:
        """Return training cases at each level of each case's lineage, of any therapy and of the case's class.

        Shape (n, :data:`MOST_LEVELS`) each, the histology itself first; NaN beyond the end of its lineage.
        """
        return (
            batch.texts["histology"].gather_rows(
                lambda code: _padded([self.histology_cases.get(level, 0) for level in lineage(code)]), MOST_LEVELS
            ),
            alike(batch).gather_rows(
                lambda pair: _padded([self.alike_cases.get(level, 0) for level in _lineage_of_pair(pair)]), MOST_LEVELS
            ),
        )

    def class_support(self, batch: Batch) -> FloatArray:
        """Return training cases of each case's therapy class, shape (n,)."""
        return batch.texts["therapy"].gather(
            lambda key: self.class_cases.get(regimen(key).therapy_class, 0), unknown=0.0
        )

    @cached_property
    def _reach(self) -> FloatArray:
        """How far beyond the range is far; a number that was always the same in training has no measure of far."""
        return np.where(self.spread > 0, self.settings.range_margin_sd * self.spread, np.inf)

    def outside(self, matrix: FloatArray) -> tuple[BoolArray, BoolArray]:
        """Return where a number is outside the training range, and where it is far outside; shape (n, p) each."""
        beyond = np.maximum(matrix - self.high, self.low - matrix)
        return beyond > 0, beyond > self._reach

    @cached_property
    def _measured(self) -> IntArray:
        """Columns that have a range: numbers that training cases had."""
        return np.flatnonzero(~np.isnan(self.low))

    def far_outside(self, matrix: FloatArray) -> BoolArray:
        """Return which cases have a number far outside the training range, shape (n,)."""
        numbers = matrix[:, self._measured]
        high, low, reach = (values[self._measured] for values in (self.high, self.low, self._reach))
        return np.asarray((np.maximum(numbers - high, low - numbers) > reach).any(axis=1), dtype=np.bool_)

    def key_places(self, features: Sequence[FeatureLike], columns: Sequence[Column]) -> list[int]:
        """Return, for each key input, the column that is NaN when it is unknown."""
        by_name = {feature.name: feature for feature in features}
        wanted = (by_name[name] for name in self.settings.key_inputs if name in by_name)
        return [next((c for c in one.columns if columns[c].missing == "indicator"), one.columns[0]) for one in wanted]

    def to_dict(self) -> dict[str, Any]:
        """Return the stored form; a column without a range is null, a rule that is not asked for is absent."""
        return {
            "settings": {name: value for name, value in asdict(self.settings).items() if value is not None},
            "histology_cases": dict(sorted(self.histology_cases.items())),
            "class_cases": dict(sorted(self.class_cases.items())),
            "alike_cases": dict(sorted(self.alike_cases.items())),
            "low": _nulls(self.low),
            "high": _nulls(self.high),
            "spread": _nulls(self.spread),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Applicability:
        """Return what a dict was stored from."""
        low, high, spread = (np.array(stored[name], dtype=np.float64) for name in ("low", "high", "spread"))
        settings = settings_of(ApplicabilitySettings, stored["settings"], "applicability.settings")
        return cls(settings, stored["histology_cases"], stored["class_cases"], stored["alike_cases"], low, high, spread)


def blood_negative(batch: Batch) -> BoolArray:
    """Return where no gene that a targeted therapy is chosen by, or acts on, is altered in blood alone, shape (n,).

    A therapy that is not chosen by an alteration (bevacizumab) has no driver to be negative for. A case without a list
    of alterations is not negative, it is unknown.
    """
    source = batch.texts["specimen.source"].gather(lambda text: float(text == BLOOD), unknown=0.0) > 0
    if not source.any():
        return source
    driven = batch.texts["therapy"].gather(
        lambda key: float(regimen(key).family == "targeted" and bool(chosen_by(key))), unknown=0.0
    )
    seen = np.zeros(batch.n, dtype=np.bool_)
    keys, findings = batch.texts["therapy"].texts(), batch.findings
    for row, code in zip(findings.row.tolist(), findings.codes.tolist(), strict=True):
        level, key = findings.levels[code], keys[row]
        if key is None or not source[row] or level.status != "present":
            continue
        seen[row] |= level.gene in regimen(key).targets or level.gene in chosen_by(key)
    return np.asarray(source & (driven > 0) & batch.findings_recorded & ~seen, dtype=np.bool_)


def scoring_inputs_known(inputs: Inputs, places: Sequence[int]) -> BoolArray:
    """Return which of the key inputs are known, shape (n, number of key inputs)."""
    return ~np.isnan(inputs.matrix[:, list(places)])


def alike(batch: Batch) -> Coded:
    """Return histology and therapy class as one text column, once per pair that occurs; unknown where either is."""
    histology, therapy = batch.texts["histology"], batch.texts["therapy"]
    pairs, codes = np.unique(histology.codes * (len(therapy.levels) + 1) + therapy.codes, return_inverse=True)
    levels = [divmod(pair, len(therapy.levels) + 1) for pair in pairs.tolist()]
    return Coded(codes, tuple(f"{histology.levels[h]}|{regimen(therapy.levels[t]).therapy_class}" for h, t in levels))


def _lineage_of_pair(pair: str) -> tuple[str, ...]:
    code, _, therapy_class = pair.partition("|")
    return tuple(f"{level}|{therapy_class}" for level in lineage(code))


def _padded(counts: Sequence[float]) -> list[float]:
    return [*counts, *[np.nan] * (MOST_LEVELS - len(counts))]


def _counted(coded: Coded, levels_of: Callable[[str], Sequence[str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    counts = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.levels))
    for text, count in zip(coded.levels, counts.tolist(), strict=True):
        for level in levels_of(text):
            found[level] = found.get(level, 0) + count
    return found


def _nulls(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
