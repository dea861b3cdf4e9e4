"""Runs small enough for tests: a few synthetic cases, two folds, a store and folders of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.config import Experiment, read_experiment

QUICK = (
    "cohorts.synthetic_cases=150",
    "resampling.folds=2",
    "evaluation.bootstraps=40",
    "evaluation.comparators=[base_rate, histology_base_rate]",
    "model.folds=2",
    "model.linear.penalties=[30]",
    "terms.evidence=false",
)


def small(family: str = "checkpoint", *extra: str) -> Experiment:
    """A small synthetic experiment of a family."""
    place = Path(__file__).resolve().parent.parent / "experiments" / f"{family}_synthetic.yaml"
    return read_experiment(place, [*QUICK, *extra])


@contextmanager
def places(folder: Path) -> Iterator[None]:
    """Runs, cohorts and the tracking store below a folder, for a while."""
    given = {
        "ORP_RUNS": str(folder / "runs"),
        "ORP_COHORTS": str(folder / "cohorts"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
