"""The end of every run: artefact, checks, tables, report and card, and, very last, registration.

An exception or an interrupt before the last step leaves a folder and no registered model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from experiments.card import completed_card
from experiments.checks import checks_of
from experiments.forecasts import write_forecasts
from experiments.outputs import fresh_folder, record_of, report_data, write_tables
from models.artifact import save_artifact
from training.card_page import write_card
from training.further import write_further
from training.report import write_report
from training.tracking import track

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from experiments.config import Experiment
    from experiments.outputs import Material
    from experiments.progress import Progress
    from models.response import Answers, ResponseModel
    from training.evaluate import Evaluation
    from training.evidence_check import LeaveFamilyOut
    from training.further import FurtherTable
    from training.judged import Scene
    from training.tracking import Tracked


@dataclass(frozen=True, eq=False)
class Run:
    """What a run gives back; ``further`` holds the tables beside the main one."""

    experiment: Experiment
    model: ResponseModel
    evaluation: Evaluation
    scenes: tuple[Scene, ...]
    folder: Path
    report: Path
    tracked: Tracked | None
    further: tuple[FurtherTable, ...] = ()


def finish(
    experiment: Experiment,
    model: ResponseModel,
    answers: Answers,
    evaluation: Evaluation,
    scenes: tuple[Scene, ...],
    material: Material,
    progress: Progress,
    stem: str,
    tracking: bool,
    *,
    drawing: bool = True,
    further: Sequence[FurtherTable] = (),
    refit: Callable[[], ResponseModel] | None = None,
    left_family_out: LeaveFamilyOut | None = None,
) -> Run:
    """Store the artefact, write tables, report and card, and track the run; registration is the very last step.

    Parameters
    ----------
    drawing
        False writes neither report nor card: for a run that is only compared.
    answers
        Of the model on the cases it was fitted on.
    further
        Tables beside the main one (subgroups, what was left out, permutations).
    refit
        Fits the same model again; the gate asks whether the bytes are the same. None leaves that unchecked.
    left_family_out
        How the evidence foretold arms of trials it had not seen; the gate asks for it of a family fitted on arms.
    """
    folder = fresh_folder(experiment, material.hashes, stem)
    with progress.step("Fitting once more, to compare the bytes"):
        checks = checks_of(model, answers, further, refit, left_family_out)
    model = replace(model, card=completed_card(model, experiment, material, evaluation, further))
    with progress.step("Storing the artefact"):
        model = save_artifact(model, folder / "artefact")
    write_tables(evaluation, experiment, checks, folder)
    write_further(further, folder / "tables")
    write_forecasts(scenes, material, folder)
    report = folder / "report" / "report.html"
    if drawing:
        with progress.step("Drawing the report"):
            data = report_data(experiment, model, answers, evaluation, scenes, material, further)
            write_report(data, report.parent)
            write_card(model.card, model.identity.digest, report.parent)
    tracked = None
    if tracking:
        with progress.step("Logging to MLflow"):
            record = record_of(experiment, model, evaluation, material, folder, stem, scenes)
            # MLflow's own duration is that of the logging: its run begins when all is done.
            tracked = track(replace(record, tags={**record.tags, "seconds": f"{progress.seconds:.0f}"}))
    return Run(experiment, model, evaluation, scenes, folder, report, tracked, tuple(further))
