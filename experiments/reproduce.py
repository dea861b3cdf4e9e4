"""Rebuilding a run from what it logged, and saying what differs: environment, cases, forecasts, bytes."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from experiments.checks import differing
from experiments.config import Experiment
from experiments.forecasts import CASES, FORECASTS, case_digests, case_key
from experiments.outputs import RUNS_VARIABLE
from experiments.settings_reader import read_settings
from features.errors import Refusal, listed
from training.environment import environment_tags
from training.tracking import Logged, find_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from experiments.outputs import Material
    from experiments.progress import Progress

TOLERANCE = 1e-12
"""Largest difference of a forecast (probability) that still counts as the same."""

NOT_COMPARED = ("platform", "code.commit", "code.dirty")
"""Tags that may differ without any number moving: the code itself is compared by its digest."""


class NotReproducible(Refusal):
    """A run whose tables were not logged, by an older version: there is nothing to rebuild it from."""

    code = "not_reproducible"
    exit_code = 3


@dataclass(frozen=True)
class Reproduction:
    """What came out.

    Attributes
    ----------
    run_id
        Of the run that was rebuilt.
    environment
        One sentence per tag that differs between then and now.
    data
        One sentence per cohort or case that is not what it was; when there is any, nothing is rebuilt.
    forecasts
        Sentences about forecasts that differ by more than 1e-12.
    artefact
        Files of the artefact whose bytes differ.
    """

    run_id: str
    environment: tuple[str, ...]
    data: tuple[str, ...]
    forecasts: tuple[str, ...] = ()
    artefact: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """True when the cases, every forecast and every byte are the same; the environment may differ."""
        return not (self.data or self.forecasts or self.artefact)


def reproduce_run(which: str, progress: Progress, workers: int = 1) -> Reproduction:
    """Rebuild a tracked run.

    Parameters
    ----------
    which
        Run id, ``NAME/VERSION`` or ``NAME@ALIAS``.
    progress, workers
        As for a run; processes make no difference to the result.

    Raises
    ------
    RunNotFound, NotReproducible
    """
    logged = find_run(which)
    with tempfile.TemporaryDirectory() as held:
        then = Path(held) / "then"
        tables, artefact = logged.fetch("tables", then), logged.fetch("artefact", then)
        experiment = _experiment(tables, logged)
        environment = _environment(logged)
        data = _changed_data(experiment, logged, tables)
        if data:
            return Reproduction(logged.run_id, environment, data)
        now = _rebuilt(experiment, progress, workers, Path(held) / "now")
        forecasts = compare_forecasts(pq.read_table(tables / FORECASTS), pq.read_table(now / FORECASTS))
        return Reproduction(logged.run_id, environment, (), forecasts, tuple(differing(artefact, now / "artefact")))


def _experiment(tables: Path, logged: Logged) -> Experiment:
    for name in ("experiment.json", FORECASTS, CASES):
        if not (tables / name).is_file():
            raise NotReproducible(f"the run did not log {name}", record=logged.run_id, way_out="Train it again.")
    return read_settings(Experiment, json.loads((tables / "experiment.json").read_text(encoding="utf-8")))


def _environment(logged: Logged) -> tuple[str, ...]:
    now = environment_tags()
    names = [name for name in now if name not in NOT_COMPARED]
    return tuple(
        f"{name}: {logged.tags.get(name, 'not logged')} then, {now[name]} now"
        for name in names
        if logged.tags.get(name) != now[name]
    )


def _changed_data(experiment: Experiment, logged: Logged, tables: Path) -> tuple[str, ...]:
    """Return what is not as it was, cohort by cohort, and which cases."""
    then = {(context, name): digest for context, name, digest in logged.hashes}
    material = load_material_of(experiment)
    found = []
    for pool, role in material.pools:
        for provenance, content in zip(pool.provenances, pool.hashes, strict=True):
            cohort = provenance.cohort_id
            before = then.get((role, cohort))
            if before != content:
                words = f"{cohort} ({role}): content hash {_short(before)} then, {_short(content)} now"
                found.append(f"{words}; {_changed_cases(material, cohort, tables)}")
    return tuple(found)


def load_material_of(experiment: Experiment) -> Material:
    """Load the cohorts of an experiment, whichever family of runner it has."""
    if experiment.fit_on == "patients":
        from experiments.run import load_material

        return load_material(experiment)
    from experiments.run_arms import load_arms_material

    return load_arms_material(experiment)


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest[:19]


def _changed_cases(material: Material, cohort: str, tables: Path) -> str:
    rows = pq.read_table(tables / CASES).to_pylist()
    then = {row["case"]: row["digest"] for row in rows if row["cohort"] == cohort}
    own = {key: digest for pool, _ in material.pools for key, digest in case_digests(pool).items() if key[0] == cohort}
    changed = sorted(case for (_, case), digest in own.items() if then.get(case_key(cohort, case), digest) != digest)
    added = sorted(case for _, case in own if case_key(cohort, case) not in then)
    gone = len(set(then) - {case_key(*key) for key in own})
    said = [f"changed: {listed(changed)}"] if changed else []
    said += [f"new: {listed(added)}"] if added else []
    said += [f"{gone} no longer there"] if gone else []
    return "; ".join(said) or "no case with an outcome differs: its description, or cases without outcome"


def _rebuilt(experiment: Experiment, progress: Progress, workers: int, folder: Path) -> Path:
    from experiments.start import run_experiment

    with _runs_in(folder):
        return run_experiment(
            experiment, progress, workers=workers, stem="reproduced", tracking=False, drawing=False
        ).folder


@contextmanager
def _runs_in(folder: Path) -> Iterator[None]:
    """Write runs elsewhere for a while: what is rebuilt must not overwrite, or resume from, what was built."""
    before = os.environ.get(RUNS_VARIABLE)
    os.environ[RUNS_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[RUNS_VARIABLE]
        else:
            os.environ[RUNS_VARIABLE] = before


def compare_forecasts(then: pa.Table, now: pa.Table) -> tuple[str, ...]:
    """Return a sentence per predictor and set of patients whose forecasts differ by more than 1e-12."""
    before, after = _by_predictor(then), _by_predictor(now)
    found = [f"{' / '.join(key)}: forecast in one of the two runs only" for key in sorted(before.keys() ^ after.keys())]
    for key in sorted(before.keys() & after.keys()):
        one, other = before[key], after[key]
        if one.keys() != other.keys():
            found.append(f"{' / '.join(key)}: other cases")
            continue
        gaps = np.array([_gap(one[case], other[case]) for case in one])
        if gaps.max(initial=0.0) > TOLERANCE:
            count = int((gaps > TOLERANCE).sum())
            found.append(f"{' / '.join(key)}: {count} of {len(gaps)} differ, by {gaps.max():.1e} at most")
    return tuple(found)


def _gap(one: float, other: float) -> float:
    if np.isnan(one) and np.isnan(other):
        return 0.0
    gap = abs(one - other)
    return float("inf") if np.isnan(gap) else gap


def _by_predictor(table: pa.Table) -> dict[tuple[str, str, str], dict[tuple[str, float, int], float]]:
    found: dict[tuple[str, str, str], dict[tuple[str, float, int], float]] = {}
    keys = ("scene", "cohort", "predictor", "case", "outcome", "repeat", "value")
    for scene, cohort, predictor, case, outcome, repeat, value in zip(
        *(table.column(name).to_pylist() for name in keys), strict=True
    ):
        found.setdefault((scene, cohort, predictor), {})[case, outcome, repeat] = value
    return found


def in_words(found: Reproduction) -> Sequence[str]:
    """Return lines for the terminal, the verdict last."""
    lines = [f"environment  {one}" for one in found.environment] or ["environment  the same"]
    lines += [f"data         {one}" for one in found.data] or ["data         the same"]
    if found.data:
        return [*lines, f"NOT rebuilt: the cases of run {found.run_id} are not the ones at hand"]
    lines += [f"forecasts    {one}" for one in found.forecasts] or [f"forecasts    the same to {TOLERANCE:g}"]
    lines += [f"artefact     {one} differs" for one in found.artefact] or ["artefact     the same, byte for byte"]
    return [*lines, f"{'reproduced' if found.holds else 'NOT reproduced'}: run {found.run_id}"]


def reproduction_json(found: Reproduction) -> dict[str, Any]:
    """Return a reproduction as one JSON-ready object."""
    return {"holds": found.holds, **vars(found)}
