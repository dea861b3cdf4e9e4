"""What a run leaves behind: its folder, the tables, the report's contents, and the record that is tracked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from experiments.checks import checks_bytes
from experiments.forecasts import CASES, FORECASTS
from features.provenance import ENDPOINT_TITLES
from models.metrics import auroc, brier, log_loss
from training.card_page import card_markdown
from training.environment import environment_tags
from training.figures_cases import AnsweredCases
from training.pool import CannotPool
from training.report import ReportData, shap_gap
from training.tracking import LoggedData, RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.config import Experiment
    from models.response import Answers, ResponseModel
    from training.evaluate import Evaluation
    from training.further import FurtherTable
    from training.judged import Scene
    from training.pool import Pool

RUNS_VARIABLE, DEFAULT_RUNS = "ORP_RUNS", "runs"
"""Folder of what runs write before it is logged: ``$ORP_RUNS``, or ``./runs``."""

TABLES = ("evaluation.json", "experiment.json", "checks.json", FORECASTS, CASES)
"""Files of a run's folder that are logged under ``tables``."""

REPEATED = {"auroc": auroc, "brier": brier, "log_loss": log_loss}
"""Metrics of each repeat of the resampling, in a nested run."""

LONGEST_NOTE = 5000
"""Characters of a run's description; MLflow holds 8,000."""

SHAP_CASES = 50
"""Cases on which the boosted contributions are held against the shap library."""

RUN_ID_LENGTH = 12
"""Characters of the digest of settings and cohorts that names a run's folder: the same run, the same folder."""


@dataclass(frozen=True, eq=False)
class Material:
    """Cohorts as loaded, checked for what may leak; ``pool`` is None where a model is fitted on published arms.

    ``unreduced`` is the pool with the patients that were left out of training because external cohorts probably hold
    them too, ``shared_with`` those cohorts: for the figures with and without. None and empty where nobody was left out.
    """

    pool: Pool | None
    external: tuple[Pool, ...]
    notes: tuple[str, ...]
    dropped_families: tuple[str, ...]
    dropped_cohorts: tuple[str, ...]
    unreduced: Pool | None = None
    shared_with: tuple[str, ...] = ()

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


def run_digest(experiment: Experiment, hashes: Sequence[str]) -> str:
    """Return the digest that names a run: of what was asked, and of which cases."""
    said = json.dumps([experiment.to_dict(), list(hashes)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:RUN_ID_LENGTH]


def runs_folder() -> Path:
    """Return where runs are written before they are logged: ``$ORP_RUNS``, or ``./runs``."""
    return Path(os.environ.get(RUNS_VARIABLE) or DEFAULT_RUNS)


def fresh_folder(experiment: Experiment, hashes: Sequence[str], stem: str) -> Path:
    """Return the empty folder of a run, named by what was asked of which cases."""
    folder = runs_folder() / f"{stem}-{run_digest(experiment, hashes)}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_tables(evaluation: Evaluation, experiment: Experiment, checks: Mapping[str, Any], folder: Path) -> None:
    """Write every row as JSON, the experiment as it was run, defaults written out, and what the gate asks beside."""
    rows = [row.to_dict() for row in evaluation.rows]
    (folder / "evaluation.json").write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (folder / "experiment.json").write_text(json.dumps(experiment.to_dict(), indent=1) + "\n", encoding="utf-8")
    (folder / "checks.json").write_bytes(checks_bytes(dict(checks)))


def report_data(
    experiment: Experiment,
    model: ResponseModel,
    answers: Answers | None,
    evaluation: Evaluation,
    scenes: Sequence[Scene],
    material: Material,
    further: Sequence[FurtherTable] = (),
) -> ReportData:
    """Gather what the report shows."""
    left_out = ", ".join(material.dropped_families) or "none"
    question = [(name.replace("_", " "), words) for name, words in asdict(experiment.question).items()]
    answered = _answered(model, answers, material)
    gap = None if answers is None else shap_gap(model, answers.inputs.matrix[:SHAP_CASES])
    checked = [] if gap is None else [f"Boosted contributions differ from shap.TreeExplainer by {gap:.1e} at most."]
    return ReportData(
        title=f"{experiment.name}: {ENDPOINT_TITLES[experiment.question.endpoint]}",
        synthetic=experiment.synthetic,
        question=question,
        cohorts=[line for pool, role in material.pools for line in cohort_lines(pool, role)],
        scenes=scenes,
        evaluation=evaluation,
        answered=answered,
        by_cohort=_by_cohort(answered, material),
        settings=yaml.safe_dump(json.loads(json.dumps(experiment.to_dict())), sort_keys=False),
        made_with=[("artefact", model.identity.digest), *sorted(environment_tags().items())],
        bootstraps=experiment.evaluation.bootstraps,
        notes=[
            *material.notes,
            *_sample_size(model),
            f"Arms left out of the evidence: {left_out} (the cohorts' own).",
            *checked,
        ],
        further=further,
    )


def _answered(model: ResponseModel, answers: Answers | None, material: Material) -> list[AnsweredCases]:
    """Return the final model's answers by pool, those it was fitted on first; arms have no outcome of single cases."""
    found = []
    if answers is not None and material.pool is None:
        found.append(AnsweredCases("published arms", "development", answers, np.zeros(0)))
    for pool, role in material.pools:
        given = answers if answers is not None and role == "development" else model.answers(pool.batch())
        found.append(AnsweredCases(pool.cohort.provenance.cohort_id, role, given, pool.outcome, pool.truth))
    return found


def _by_cohort(answered: Sequence[AnsweredCases], material: Material) -> list[AnsweredCases]:
    """Return the answers cohort by cohort; arms stay together."""
    found, pools = [], [pool for pool, _ in material.pools]
    arms = list(answered[: len(answered) - len(pools)])
    for one, pool in zip(answered[len(arms) :], pools, strict=True):
        names = [provenance.cohort_id for provenance in pool.provenances]
        found += [one.part(name, np.flatnonzero(pool.source == name)) for name in names] if len(names) > 1 else [one]
    return [*arms, *(one for one in found if one.answers.n)]


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
    stem: str,
    scenes: Sequence[Scene] = (),
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
            "report": sorted((folder / "report").glob("*.*")),
            "report/figures": sorted((folder / "report" / "figures").glob("*.*")),
            "tables": [folder / name for name in TABLES] + sorted((folder / "tables").glob("*.json")),
        },
        tags={
            "endpoint": experiment.question.endpoint,
            "family": experiment.family,
            "synthetic": str(experiment.synthetic).lower(),
            "artefact.digest": model.identity.digest,
            # MLflow's panel of datasets shows the first alone and hides the others behind a button.
            "cohorts": ", ".join(f"{one.cohort_id} ({one.context})" for one in data)[:LONGEST_NOTE],
        },
        resamples=repeats_of(scenes),
        note=_note(model),
    )


def repeats_of(scenes: Sequence[Scene]) -> list[tuple[str, dict[str, float]]]:
    """Return the model's metrics by repeat of the resampling, by cohort; nothing where there is a single one."""
    found: dict[str, dict[str, float]] = {}
    for scene in scenes:
        model = scene.forecasts[0]
        for repeat, values in enumerate(model.values if len(model.values) > 1 else ()):
            of_repeat = found.setdefault(f"{scene.name} {repeat + 1}", {})
            for name, metric in REPEATED.items():
                of_repeat[f"{scene.cohort}.{name}"] = float(metric(scene.outcome, values, scene.weights))
    return [(name, {k: v for k, v in metrics.items() if np.isfinite(v)}) for name, metrics in found.items()]


def _note(model: ResponseModel) -> str:
    """Return the card down to its question, for MLflow's pages; the whole card is a file of the run."""
    first = card_markdown(model.card, model.identity.digest).split("## Population")[0]
    return f"{first}Whole card: `report/model-card.md`; report: `report/report.html`."[:LONGEST_NOTE]


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
