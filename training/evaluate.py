"""One call from forecasts to tables: every predictor on every set of patients, with intervals, losing rows included.

Point estimates of resampled forecasts are means over the repeats. Their 95% intervals are the percentile bootstrap over
patients of the first repeat, moved to that mean; the standard deviation over repeats stands beside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bootstrap import RESAMPLES, Estimate, bootstrap
from models.delong import auroc_standard_error, compare_aurocs
from models.metrics import auprc, auroc, auroc_within, brier, brier_skill, log_loss
from models.metrics_calibration import (
    calibration_in_the_large,
    calibration_slope,
    curve_distance,
    integrated_calibration_index,
)
from models.pooling import Pooled, pool_inverse_variance, pool_random_effects
from models.undefined import why_undefined
from training.judged import MODEL, Forecast, Row, Scene
from training.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from models.metrics_calibration import CurveDistance
    from training.judged import FloatArray
    from training.prepared import Prepared

RANKS: dict[str, Callable[..., Any]] = {"auroc": auroc, "auprc": auprc}
"""Metrics of any score."""

FITS: dict[str, Callable[..., Any]] = {
    "brier": brier,
    "brier_skill": brier_skill,
    "log_loss": log_loss,
    "citl": calibration_in_the_large,
    "slope": calibration_slope,
    "ici": integrated_calibration_index,
}
"""Metrics of what lies in 0 to 1 and is read as a probability."""

ICI = "ici"
"""Of the metrics above the one that comes from the same curve as E50 and E90, worked out once for all three."""

REFERENCES = ("histology_base_rate", "class_average")
"""Base rates that our Brier skill is measured against: the first that a scene has."""

FEWEST_CASES, FEWEST_EVENTS = 20, 5
"""A group below either is counted but not scored (design/protocol.md)."""


@dataclass(frozen=True)
class Evaluation:
    """All rows, in the order of the scenes; :func:`pooled_auroc` and :func:`across_cohorts` summarise them."""

    rows: tuple[Row, ...]

    def find(self, scene: str, cohort: str, predictor: str = MODEL) -> Row | None:
        """Return one row, None when there is none."""
        wanted = (scene, cohort, predictor)
        return next((row for row in self.rows if (row.scene, row.cohort, row.predictor) == wanted), None)

    def of(self, scene: str, predictor: str = MODEL) -> tuple[Row, ...]:
        """Return the rows of one predictor in one kind of scene, one per cohort."""
        return tuple(row for row in self.rows if row.scene == scene and row.predictor == predictor)

    def flat(self) -> dict[str, float]:
        """Return the model's metrics by name, for a tracker: ``external.loris-msk1.auroc``; the undefined left out."""
        found: dict[str, float] = {}
        for row in self.rows:
            prefix = f"{row.scene}.{row.cohort}" + ("" if row.predictor == MODEL else f".{row.predictor}")
            for name, one in row.metrics.items():
                for part, value in (("", one.value), ("_low", one.low), ("_high", one.high)):
                    if np.isfinite(value):
                        found[re.sub(r"[^\w./-]", "_", f"{prefix}.{name}{part}")] = value
        return found


def evaluate(
    scenes: Iterable[Scene],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    each: Callable[[str], None] | None = None,
    workers: Workers | None = None,
) -> Evaluation:
    """Judge every predictor of every scene.

    Parameters
    ----------
    scenes
        Each is judged by itself: cohorts are never concatenated.
    resamples, seed
        Of the bootstrap.
    each
        Called with a few words after each row, for a progress bar.
    workers
        Those of the run; None does everything here.
    """
    asked = [_Asked(i, place, scene, resamples, seed) for i, (place, scene) in enumerate(_one_by_one(scenes))]
    rows: dict[int, Row] = {}
    for i, row in (workers or Workers.here()).run(_judge_asked, asked):
        rows[i] = row
        if each is not None:
            each(f"{row.scene} {row.cohort}: {row.predictor}")
    return Evaluation(tuple(rows[i] for i in sorted(rows)))


@dataclass(frozen=True, eq=False)
class _Asked:
    """One row to judge: which forecast of a scene that holds no more than judging it needs."""

    number: int
    place: int
    scene: Scene
    resamples: int
    seed: int


def _one_by_one(scenes: Iterable[Scene]) -> Iterator[tuple[int, Scene]]:
    for scene in scenes:
        for forecast in scene.forecasts:
            beside = (MODEL, *REFERENCES)
            needed = tuple(one for one in scene.forecasts if one is forecast or one.predictor in beside)
            yield needed.index(forecast), replace(scene, forecasts=needed)


def _judge_asked(_: Prepared, asked: _Asked) -> tuple[int, Row]:
    forecast = asked.scene.forecasts[asked.place]
    return asked.number, judge(asked.scene, forecast, resamples=asked.resamples, seed=asked.seed)


def judge(scene: Scene, forecast: Forecast, *, resamples: int = RESAMPLES, seed: int = 0) -> Row:
    """Judge one predictor on the cases of a scene that it has a number for."""
    held = forecast.known
    y, values, weight = scene.outcome[held], forecast.values[:, held], scene.weights[held]
    n, events = round(float(weight.sum())), round(float(weight @ y))
    abstained = _abstained(scene, forecast)
    note = _note(scene, forecast, n, abstained)
    if n < FEWEST_CASES or events < FEWEST_EVENTS:
        words = _joined(f"{n} cases and {events} events are too few to score", note)
        return Row(scene.name, scene.cohort, forecast.predictor, n, events, forecast.is_probability, {}, note=words)
    curves = [curve_distance(y, one, weight) for one in values] if forecast.on_unit_scale else []
    metrics, spread = _estimates(scene, forecast, curves, resamples, seed)
    metrics |= _of_curves(curves)
    return Row(
        scene.name,
        scene.cohort,
        forecast.predictor,
        n,
        events,
        forecast.is_probability,
        metrics,
        spread,
        _against_model(scene, forecast),
        _joined(note, why_undefined(y, values[0])),
        abstained,
    )


def _abstained(scene: Scene, forecast: Forecast) -> int:
    return round(float(scene.weights @ ~scene.answered)) if forecast.predictor == MODEL else 0


def _note(scene: Scene, forecast: Forecast, n: int, abstained: int) -> str:
    total = round(float(scene.weights.sum()))
    if forecast.predictor == MODEL:
        return f"{abstained} of {total} abstained, scored as well" if abstained else ""
    return f"defined for {n} of {total}" if n < total else ""


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _estimates(
    scene: Scene, forecast: Forecast, curves: Sequence[CurveDistance], resamples: int, seed: int
) -> tuple[dict[str, Estimate], dict[str, float]]:
    held = forecast.known
    y, values, weight = scene.outcome[held], forecast.values[:, held], scene.weights[held]
    metrics, patients = _metrics(scene, forecast, 0), scene.patients[held]
    drawn = bootstrap(y, values[0], metrics, patients=patients, weight=weight, resamples=resamples, seed=seed)
    if len(values) == 1:
        return drawn, {}
    repeats = [_metrics(scene, forecast, repeat) for repeat in range(len(values))]
    each = {
        name: np.array([float(now[name](y, row, weight)) for now, row in zip(repeats, values, strict=True)])
        for name in metrics
        if name != ICI
    }
    if curves:
        each[ICI] = np.array([one.ici for one in curves])
    moved = {name: _moved(one, float(each[name].mean())) for name, one in drawn.items()}
    return moved, {name: float(found.std(ddof=1)) for name, found in each.items()}


def _metrics(scene: Scene, forecast: Forecast, repeat: int) -> dict[str, Callable[..., Any]]:
    """Return the metrics of one repeat; our model is also held against the base rate that the gate names."""
    held = forecast.known
    found: dict[str, Callable[..., Any]] = {**RANKS, "auroc_within_histology": partial(_within, scene.histology[held])}
    if forecast.on_unit_scale:
        found |= FITS
    reference = next((one for name in REFERENCES if (one := scene.forecast(name)) is not None), None)
    if forecast.predictor == MODEL and reference is not None and reference.known[held].all():
        found["skill_over_reference"] = partial(_skill, reference.values[min(repeat, len(reference.values) - 1), held])
    return found


def _skill(reference: FloatArray, outcome: FloatArray, prediction: FloatArray, weight: FloatArray) -> Any:
    return brier_skill(outcome, prediction, weight, reference)


def _within(groups: FloatArray, outcome: FloatArray, prediction: FloatArray, weight: FloatArray) -> Any:
    return auroc_within(outcome, prediction, groups, weight)


def _moved(one: Estimate, value: float) -> Estimate:
    shift = value - one.value
    return Estimate(value, one.low + shift, one.high + shift, one.undefined)


def _of_curves(curves: Sequence[CurveDistance]) -> dict[str, Estimate]:
    nan, names = float("nan"), ("e50", "e90") if curves else ()
    return {name: Estimate(float(np.mean([getattr(one, name) for one in curves])), nan, nan) for name in names}


def _against_model(scene: Scene, forecast: Forecast) -> Any:
    model = scene.forecast(MODEL)
    if forecast.predictor == MODEL or model is None or scene.weight is not None:
        return None
    held = model.known & forecast.known
    return compare_aurocs(scene.outcome[held], model.values[0, held], forecast.values[0, held])


def auroc_error(scene: Scene, forecast: Forecast) -> float:
    """Return DeLong's standard error of a forecast's AUROC in its first repeat."""
    held = forecast.known
    return auroc_standard_error(scene.outcome[held], forecast.values[0, held])


def pooled_auroc(scenes: Sequence[Scene], predictor: str = MODEL) -> Pooled:
    """Pool within-cohort AUROCs by inverse variance; cohorts are never concatenated."""
    return pool_inverse_variance(*_areas(scenes, predictor))


def across_cohorts(scenes: Sequence[Scene], predictor: str = MODEL) -> Pooled:
    """Return the random-effects summary of the AUROC over cohorts, with a prediction interval for a new one."""
    return pool_random_effects(*_areas(scenes, predictor))


def _areas(scenes: Sequence[Scene], predictor: str) -> tuple[list[float], list[float]]:
    found = [(scene, forecast) for scene in scenes if (forecast := scene.forecast(predictor)) is not None]
    areas = [float(auroc(scene.outcome[f.known], f.values[0, f.known])) for scene, f in found]
    return areas, [auroc_error(scene, f) for scene, f in found]
