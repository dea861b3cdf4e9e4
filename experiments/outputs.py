"""What a run leaves behind: its folder, the tables, the report's contents, and the record that is tracked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from training.environment import environment_tags
from training.pool import CannotPool
from training.report import ReportData
from training.tracking import LoggedData, RunRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.config import Experiment
    from models.response import Answers, ResponseModel
    from training.evaluate import Evaluation
    from training.judged import Scene
    from training.pool import Pool

RUNS_VARIABLE, DEFAULT_RUNS = "ORP_RUNS", "runs"
"""Folder of what runs write before it is logged: ``$ORP_RUNS``, or ``./runs``."""

RUN_ID_LENGTH = 12
"""Characters of the digest of settings and cohorts that names a run's folder: the same run, the same folder."""


@dataclass(frozen=True, eq=False)
class Material:
    """Cohorts as loaded, checked for what may leak; ``pool`` is None where a model is fitted on published arms."""

    pool: Pool | None
    external: tuple[Pool, ...]
    notes: tuple[str, ...]
    dropped_families: tuple[str, ...]
    dropped_cohorts: tuple[str, ...]

    @property
    def development(self) -> Pool:
        """The cases that are fitted on.

        Raises
        ------
        CannotPool
            When the model is fitted on published arms.
        """
        if self.pool is None:
            raise CannotPool("this experiment is fitted on published arms", field="fit_on")
        return self.pool

    @property
    def pools(self) -> list[tuple[Pool, str]]:
        """Every pool with its role, development first."""
        first = [] if self.pool is None else [(self.pool, "development")]
        return [*first, *((pool, "external") for pool in self.external)]

    @property
    def hashes(self) -> list[str]:
        """Content hashes of all cohorts."""
        return [content for pool, _ in self.pools for content in pool.hashes]


def fresh_folder(experiment: Experiment, hashes: Sequence[str], stem: str) -> Path:
    """Return the empty folder of a run, named by what was asked of which cases."""
    said = json.dumps([experiment.to_dict(), list(hashes)], sort_keys=True)
    runs = Path(os.environ.get(RUNS_VARIABLE) or DEFAULT_RUNS)
    folder = runs / f"{stem}-{hashlib.sha256(said.encode()).hexdigest()[:RUN_ID_LENGTH]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_tables(evaluation: Evaluation, experiment: Experiment, folder: Path) -> None:
    """Write every row as JSON, and the experiment as it was run, defaults written out."""
    rows = [row.to_dict() for row in evaluation.rows]
    (folder / "evaluation.json").write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (folder / "experiment.json").write_text(json.dumps(experiment.to_dict(), indent=1) + "\n", encoding="utf-8")


def report_data(
    experiment: Experiment,
    model: ResponseModel,
    answers: Answers | None,
    evaluation: Evaluation,
    scenes: Sequence[Scene],
    material: Material,
) -> ReportData:
    """Gather what the report shows."""
    left_out = ", ".join(material.dropped_families) or "none"
    question = [(name.replace("_", " "), words) for name, words in asdict(experiment.question).items()]
    return ReportData(
        title=f"{experiment.name}: {experiment.question.endpoint}",
        synthetic=experiment.synthetic,
        question=question,
        cohorts=[line for pool, role in material.pools for line in cohort_lines(pool, role)],
        scenes=scenes,
        evaluation=evaluation,
        answers=answers,
        settings=yaml.safe_dump(json.loads(json.dumps(experiment.to_dict())), sort_keys=False),
        made_with=[("artefact", model.identity.digest), *sorted(environment_tags().items())],
        bootstraps=experiment.evaluation.bootstraps,
        notes=[*material.notes, *_sample_size(model), f"Arms left out of the evidence: {left_out} (the cohorts' own)."],
    )


def _sample_size(model: ResponseModel) -> list[str]:
    size = model.card.get("sample_size")
    if size is None:
        return []
    enough = "below" if model.card.get("underpowered") else "at or above"
    return [
        f"Sample size: {size['cases']:.0f} cases, {enough} the {size['needed']} that Riley's criteria ask for at "
        f"{size['effective_parameters']:.1f} effective parameters."
    ]


def cohort_lines(pool: Pool, role: str) -> list[dict[str, Any]]:
    """Return one line of the report's cohort table per cohort of a pool."""
    lines = []
    for provenance, content_hash in zip(pool.provenances, pool.hashes, strict=True):
        held = pool.source == provenance.cohort_id
        lines.append(
            {
                "cohort_id": provenance.cohort_id,
                "role": role,
                "cases": int(held.sum()),
                "responders": int(pool.outcome[held].sum()),
                "without_outcome": pool.without_outcome[provenance.cohort_id],
                "endpoint": provenance.endpoint,
                "denominator": provenance.denominator,
                "licence": provenance.licence,
                "hash": content_hash,
            }
        )
    return lines


def record_of(
    experiment: Experiment,
    model: ResponseModel,
    evaluation: Evaluation,
    material: Material,
    folder: Path,
    files: Sequence[Path],
    stem: str,
) -> RunRecord:
    """Gather what is tracked of a run."""
    data = [
        LoggedData(line["cohort_id"], line["hash"], line["licence"], line["cases"], role)
        for pool, role in material.pools
        for line in cohort_lines(pool, role)
    ]
    return RunRecord(
        experiment=stem,
        name=experiment.name,
        parameters=flat(experiment.to_dict()),
        metrics=evaluation.flat(),
        data=data,
        artefact=folder / "artefact",
        files={
            "report": [file for file in files if file.suffix == ".html"],
            "report/figures": [file for file in files if file.suffix != ".html"],
            "tables": [folder / "evaluation.json", folder / "experiment.json"],
        },
        tags={
            "endpoint": experiment.question.endpoint,
            "family": experiment.family,
            "synthetic": str(experiment.synthetic).lower(),
            "artefact.digest": model.identity.digest,
        },
    )


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted path.

    Examples
    --------
    >>> flat({"model": {"folds": 5}})
    {'model.folds': 5}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        found.update(flat(value, f"{path}.") if isinstance(value, dict) else {path: value})
    return found
