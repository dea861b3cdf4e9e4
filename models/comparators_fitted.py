"""Rivals that learn from training cases: base rates, LORIS recalibrated, plain logistic regression, default LightGBM.

Each ``fit`` sees training cases only and returns a :class:`~models.comparators.Comparator` whose score is a
probability. They are deliberately plain: what a colleague would have in an afternoon, on the same features.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from features.histology import lineage
from models.loris import LorisPanCancer
from models.metrics import base_rate
from models.metrics_calibration import recalibration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.batch import Batch, FloatArray
    from models.inputs import TableLike

PSEUDO_CASES = 10.0
"""Weight, in cases, of the parent's rate in the rate of a histology: a rare one is shrunk along its lineage."""

BOOSTER_ROUNDS = 100
"""LightGBM's default ``n_estimators``; everything else is its default too."""


@dataclass(frozen=True)
class BaseRate:
    """The null model: the response rate of the training cases for everyone."""

    rate: float
    name: str = "base_rate"
    is_probability: bool = True
    on_unit_scale: bool = True

    @classmethod
    def fit(cls, outcome: FloatArray) -> BaseRate:
        """Learn the rate."""
        return cls(float(base_rate(outcome)))

    def score(self, batch: Batch) -> FloatArray:
        """Return the same rate for every case."""
        return np.full(batch.n, self.rate)


@dataclass(frozen=True)
class HistologyBaseRate:
    """The response rate of the case's histology, shrunk along its lineage to the overall rate.

    A histology that training never saw has the rate of its nearest ancestor that it did see.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    overall: float = float("nan")
    name: str = "histology_base_rate"
    is_probability: bool = True
    on_unit_scale: bool = True

    @classmethod
    def fit(cls, batch: Batch, outcome: FloatArray) -> HistologyBaseRate:
        """Learn a rate for every step of every lineage."""
        counts: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for code, responded in zip(batch.texts["histology"].texts(), outcome.tolist(), strict=True):
            for step in lineage(code) if code else ():
                counts[step][0] += 1
                counts[step][1] += responded
        overall, rates = float(base_rate(outcome)), {}
        for code in counts:
            rate = overall
            for step in reversed(lineage(code)):
                n, events = counts[step]
                rate = (events + PSEUDO_CASES * rate) / (n + PSEUDO_CASES)
            rates[code] = rate
        return cls(rates, overall)

    def _rate(self, code: str) -> float:
        return next((self.rates[step] for step in lineage(code) if step in self.rates), self.overall)

    def score(self, batch: Batch) -> FloatArray:
        """Return the rate of each case's histology."""
        return batch.texts["histology"].gather(self._rate, unknown=self.overall)


@dataclass(frozen=True)
class RecalibratedLoris:
    """The published pan-cancer LORIS with its intercept and slope refitted on the training cases: the fair rival."""

    intercept: float
    slope: float
    name: str = "loris_recalibrated"
    is_probability: bool = True
    on_unit_scale: bool = True

    @classmethod
    def fit(cls, batch: Batch, outcome: FloatArray) -> RecalibratedLoris:
        """Learn intercept and slope on the cases that LORIS is defined for; NaN when there are too few."""
        score = LorisPanCancer().score(batch)
        held = np.isfinite(score)
        found = recalibration(outcome[held], score[held])
        return cls(found.intercept, found.slope)

    def score(self, batch: Batch) -> FloatArray:
        """Return a probability of response."""
        return np.asarray(expit(self.intercept + self.slope * LorisPanCancer().linear_predictor(batch)))


@dataclass(frozen=True, eq=False)
class PlainLogistic:
    """scikit-learn's default logistic regression on the feature table: means for unknown, columns standardised."""

    table: TableLike
    mean: FloatArray
    spread: FloatArray
    coefficients: FloatArray
    intercept: float
    name: str = "plain_logistic"
    is_probability: bool = True
    on_unit_scale: bool = True

    @classmethod
    def fit(cls, table: TableLike, batch: Batch, outcome: FloatArray) -> PlainLogistic:
        """Fit on the matrix of a fitted table; a column that is never known counts as 0."""
        from sklearn.linear_model import LogisticRegression

        matrix = table.matrix(batch)
        known = ~np.isnan(matrix)
        mean = np.where(known, matrix, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        filled = np.where(known, matrix, mean)
        spread = np.where(filled.std(axis=0) > 0, filled.std(axis=0), 1.0)
        model = LogisticRegression(max_iter=1000).fit((filled - mean) / spread, outcome)
        return cls(table, mean, spread, np.asarray(model.coef_[0]), float(model.intercept_[0]))

    def score(self, batch: Batch) -> FloatArray:
        """Return a probability of response."""
        matrix = self.table.matrix(batch)
        filled = np.where(np.isnan(matrix), self.mean, matrix)
        return np.asarray(expit(self.intercept + ((filled - self.mean) / self.spread) @ self.coefficients))


@dataclass(frozen=True)
class DefaultLightGbm:
    """LightGBM as it comes, on the feature table: the overconfident booster that anyone would try first."""

    table: TableLike
    text: str
    name: str = "default_lightgbm"
    is_probability: bool = True
    on_unit_scale: bool = True

    @classmethod
    def fit(cls, table: TableLike, batch: Batch, outcome: FloatArray) -> DefaultLightGbm:
        """Fit with default parameters, one thread, deterministic."""
        import lightgbm

        settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "deterministic": True, "seed": 0}
        data = lightgbm.Dataset(table.matrix(batch), label=outcome, free_raw_data=True)
        return cls(table, lightgbm.train(settings, data, num_boost_round=BOOSTER_ROUNDS).model_to_string())

    def score(self, batch: Batch) -> FloatArray:
        """Return a probability of response."""
        import lightgbm

        booster = lightgbm.Booster(model_str=self.text)
        return np.asarray(booster.predict(self.table.matrix(batch), num_threads=1), dtype=np.float64)
