"""What is judged and what comes out: forecasts of several predictors for the same patients, and rows of a table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.recalibration import LOCAL_SHIFT_SD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.bootstrap import Estimate
    from models.delong import PairedAuroc

FloatArray = NDArray[np.float64]

MODEL = "model"
"""Name of our own predictor in every table; the others are comparators."""

WHERE_LORIS = "where LORIS is defined"
"""End of the name of a scene that has only the patients of pan-cancer LORIS: rows in the tables, no figures."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """The numbers of one predictor.

    Attributes
    ----------
    predictor
        :data:`MODEL` or the name of a comparator.
    values
        Shape (repeats, n): one row per repeat of the resampling, one row in all for an external cohort. NaN where
        the predictor has no number.
    on_unit_scale
        Judged as a probability as well as by rank. ``is_probability`` says whether it was ever meant as one.
    """

    predictor: str
    values: FloatArray
    is_probability: bool = True
    on_unit_scale: bool = True

    @property
    def known(self) -> NDArray[np.bool_]:
        """Cases that have a number in every repeat, shape (n,)."""
        return np.asarray(np.isfinite(self.values).all(axis=0))


@dataclass(frozen=True, eq=False)
class Scene:
    """One set of patients and everything that was predicted for them.

    Attributes
    ----------
    name
        ``resampled`` (out of fold, development), ``external``, ``leave one cohort out``, ...
    cohort
        Cohort id, or a name for several together.
    outcome, patients, histology
        Shape (n,).
    answered
        Shape (n,): the model gave an answer; the abstained are scored as well, and counted.
    truth
        Shape (n,): true probability of synthetic cases, else None.
    weight
        Shape (n,): how many patients each row stands for; None is one each. Rows of published arms come in pairs, the
        responders and the others, and ``patients`` is then the trial family.
    shift_sd
        Prior standard deviation of the cohort's level, log-odds, in an update on its first outcomes: as the model
        estimated it between the cohorts that it was fitted on. The rivals get the same.
    """

    name: str
    cohort: str
    outcome: FloatArray
    patients: NDArray[Any]
    histology: NDArray[Any]
    answered: NDArray[np.bool_]
    forecasts: tuple[Forecast, ...]
    synthetic: bool = False
    truth: FloatArray | None = None
    weight: FloatArray | None = None
    shift_sd: float = LOCAL_SHIFT_SD

    @property
    def weights(self) -> FloatArray:
        """How many patients each row stands for, shape (n,)."""
        return np.ones_like(self.outcome) if self.weight is None else self.weight

    def take(self, rows: NDArray[Any], name: str | None = None, cohort: str | None = None) -> Scene:
        """Return the scene of some of its cases, under another name."""
        return replace(
            self,
            name=name or self.name,
            cohort=cohort or self.cohort,
            outcome=self.outcome[rows],
            patients=self.patients[rows],
            histology=self.histology[rows],
            answered=self.answered[rows],
            forecasts=tuple(replace(one, values=one.values[:, rows]) for one in self.forecasts),
            truth=None if self.truth is None else self.truth[rows],
            weight=None if self.weight is None else self.weight[rows],
        )

    def forecast(self, predictor: str) -> Forecast | None:
        """Return the forecast of a predictor, None when there is none."""
        return next((one for one in self.forecasts if one.predictor == predictor), None)


@dataclass(frozen=True, eq=False)
class Row:
    """One line of the table: a predictor on one set of patients.

    Attributes
    ----------
    metrics
        By name: value, 95% interval.
    spread
        By name: standard deviation over the repeats of the resampling; empty for external cohorts.
    against_model
        The model's AUROC less this predictor's on the cases that both have; None for the model itself.
    note
        Why something is missing, in words.
    abstained
        Cases the model would not answer; they are scored all the same.
    """

    scene: str
    cohort: str
    predictor: str
    n: int
    events: int
    is_probability: bool
    metrics: Mapping[str, Estimate]
    spread: Mapping[str, float] = field(default_factory=dict)
    against_model: PairedAuroc | None = None
    note: str = ""
    abstained: int = 0

    def value(self, metric: str) -> float:
        """Return the point estimate of a metric, NaN when the row does not have it."""
        found = self.metrics.get(metric)
        return float("nan") if found is None else found.value

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; NaN becomes None."""
        return {
            "scene": self.scene,
            "cohort": self.cohort,
            "predictor": self.predictor,
            "n": self.n,
            "events": self.events,
            "is_probability": self.is_probability,
            "metrics": {name: _numbers(vars(one)) for name, one in self.metrics.items()},
            "spread": _numbers(self.spread),
            "against_model": None if self.against_model is None else _numbers(vars(self.against_model)),
            "note": self.note,
            "abstained": self.abstained,
        }


def _numbers(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}
