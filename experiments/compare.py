"""Runs side by side on the same patients: every metric with paired bootstrap intervals of the differences.

The forecasts are those that each run logged. Of resampled ones the mean over repeats is compared: each patient's
out-of-fold number, one per run. Only cases that all runs forecast, with the same outcome, are compared.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from experiments.forecasts import FORECASTS
from features.errors import Refusal
from models.bootstrap import RESAMPLES, Estimate, estimate, resample_counts
from models.metrics import auroc, brier, log_loss
from models.metrics_calibration import calibration_in_the_large, calibration_slope
from training.judged import MODEL
from training.tracking import Logged, find_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from training.judged import FloatArray

METRICS: dict[str, Callable[..., Any]] = {
    "auroc": auroc,
    "brier": brier,
    "log_loss": log_loss,
    "citl": calibration_in_the_large,
    "slope": calibration_slope,
}
"""Compared, in order."""

CODE = ("code.commit", "code.digest", "lock.digest")
"""Tags of a run that say which code and libraries made it."""

ABSENT = "-"
"""Stands where a run has no such setting: an older or newer version made it."""

FEWEST_CASES = 20
"""Fewest common cases of a set of patients that is compared."""


class NothingToCompare(Refusal):
    """Runs that share no patients with the same outcome, or fewer than two runs."""

    code = "nothing_to_compare"


@dataclass(frozen=True)
class Compared:
    """One metric on one set of patients.

    Attributes
    ----------
    scene, cohort, metric
        What was compared.
    n, events
        Cases that every run forecast.
    values
        One per run, with its interval.
    differences
        Each further run less the first, paired.
    """

    scene: str
    cohort: str
    metric: str
    n: int
    events: int
    values: tuple[Estimate, ...]
    differences: tuple[Estimate, ...]


@dataclass(frozen=True)
class Comparison:
    """Names of the runs in order, and every comparison.

    Attributes
    ----------
    left_out
        How many cases not all runs forecast.
    differing
        What the runs were made with and differ in: the setting's name and one value per run.
    """

    runs: tuple[str, ...]
    rows: tuple[Compared, ...]
    left_out: Mapping[tuple[str, str], int]
    synthetic: bool
    differing: tuple[tuple[str, tuple[str, ...]], ...] = ()


def compare_runs(which: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 2026) -> Comparison:
    """Compare tracked runs.

    Parameters
    ----------
    which
        Run ids, ``NAME/VERSION`` or ``NAME@ALIAS``; the first is what the others are compared with.
    resamples, seed
        Of the paired bootstrap.

    Raises
    ------
    RunNotFound, NothingToCompare
    """
    if len(which) < 2:
        raise NothingToCompare("there is one run", way_out="Name two or more.")
    found = [find_run(name) for name in which]
    with tempfile.TemporaryDirectory() as held:
        tables = [
            pq.read_table(one.fetch("tables", Path(held) / str(place)) / FORECASTS) for place, one in enumerate(found)
        ]
    synthetic = any(one.tags.get("synthetic") == "true" for one in found)
    compared = compare_tables(tuple(which), tables, synthetic=synthetic, resamples=resamples, seed=seed)
    return replace(compared, differing=differing(found))


def differing(runs: Sequence[Logged]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the settings, data hashes and code that are not the same in all runs, in the order of the first.

    Examples
    --------
    >>> one = Logged("a", "a", {"code.commit": "1f"}, (), {"model.seed": "1", "family": "targeted"})
    >>> other = Logged("b", "b", {"code.commit": "2e"}, (), {"model.seed": "2", "family": "targeted"})
    >>> differing([one, other])
    (('model.seed', ('1', '2')), ('code.commit', ('1f', '2e')))
    """
    made_with = [{**run.parameters, **{name: run.tags.get(name, ABSENT) for name in CODE}} for run in runs]
    names = dict.fromkeys(name for one in made_with for name in one)
    values = {name: tuple(one.get(name, ABSENT) for one in made_with) for name in names}
    return tuple((name, found) for name, found in values.items() if len(set(found)) > 1)


def compare_tables(
    names: tuple[str, ...], tables: Sequence[pa.Table], *, synthetic: bool, resamples: int, seed: int
) -> Comparison:
    """Compare runs by their tables of forecasts; see :func:`compare_runs`."""
    read = [_forecasts(table) for table in tables]
    common = [key for key in read[0] if all(key in one for one in read[1:])]
    rows: list[Compared] = []
    left_out: dict[tuple[str, str], int] = {}
    for scene, cohort in common:
        sets = [one[scene, cohort] for one in read]
        shared = [case for case in sets[0] if all(case in one for one in sets[1:])]
        left_out[scene, cohort] = len(set().union(*sets)) - len(shared)
        if len(shared) >= FEWEST_CASES:
            rows += _compared(scene, cohort, shared, sets, resamples, seed)
    if not rows:
        raise NothingToCompare(
            "the runs share no set of patients with the same outcomes", way_out="Train them on the same cohorts."
        )
    return Comparison(names, tuple(rows), left_out, synthetic)


def _forecasts(table: pa.Table) -> dict[tuple[str, str], dict[tuple[str, float], tuple[float, float]]]:
    """Return, by scene and cohort, (weight, mean forecast over repeats) of each case and outcome."""
    sums: dict[tuple[str, str], dict[tuple[str, float], list[float]]] = {}
    keys = ("scene", "cohort", "case", "outcome", "weight", "predictor", "value")
    for scene, cohort, case, outcome, weight, predictor, value in zip(
        *(table.column(name).to_pylist() for name in keys), strict=True
    ):
        if predictor == MODEL and value == value:
            held = sums.setdefault((scene, cohort), {}).setdefault((case, outcome), [weight, 0.0, 0.0])
            held[1] += value
            held[2] += 1
    return {key: {case: (w, total / n) for case, (w, total, n) in held.items()} for key, held in sums.items()}


def _compared(
    scene: str,
    cohort: str,
    cases: Sequence[tuple[str, float]],
    sets: Sequence[Mapping[tuple[str, float], tuple[float, float]]],
    resamples: int,
    seed: int,
) -> list[Compared]:
    y = np.array([outcome for _, outcome in cases])
    weight = np.array([sets[0][case][0] for case in cases])
    forecasts = [np.array([one[case][1] for case in cases]) for one in sets]
    patients = np.array([case for case, _ in cases])
    drawn = [counts * weight for counts in resample_counts(patients, np.zeros(len(y)), resamples, seed)]
    n, events = round(float(weight.sum())), round(float(weight @ y))
    found = []
    for name, metric in METRICS.items():
        values = [float(metric(y, p, weight)) for p in forecasts]
        resampled = [np.concatenate([np.asarray(metric(y, p, w)) for w in drawn]) for p in forecasts]
        each = tuple(estimate(value, one) for value, one in zip(values, resampled, strict=True))
        found.append(Compared(scene, cohort, name, n, events, each, _differences(values, resampled)))
    return found


def _differences(values: Sequence[float], resampled: Sequence[FloatArray]) -> tuple[Estimate, ...]:
    return tuple(
        estimate(value - values[0], one - resampled[0]) for value, one in zip(values[1:], resampled[1:], strict=True)
    )


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return a comparison as one JSON-ready object; what is undefined is null."""

    def plain(one: Estimate) -> dict[str, float | None]:
        return {name: v if np.isfinite(v := getattr(one, name)) else None for name in ("value", "low", "high")}

    rows = [
        {
            **{name: getattr(row, name) for name in ("scene", "cohort", "metric", "n", "events")},
            "values": [plain(one) for one in row.values],
            "differences": [plain(one) for one in row.differences],
        }
        for row in found.rows
    ]
    return {
        "runs": list(found.runs),
        "differing": {name: list(values) for name, values in found.differing},
        "synthetic": found.synthetic,
        "rows": rows,
    }
