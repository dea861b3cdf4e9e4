"""Starting an experiment: on patients or on published arms, with one thread for linear algebra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from experiments.config import Experiment
    from experiments.finish import Run
    from experiments.progress import Progress


def run_experiment(
    experiment: Experiment,
    progress: Progress,
    *,
    workers: int = 1,
    stem: str = "experiment",
    tracking: bool = True,
    drawing: bool = True,
) -> Run:
    """Run an experiment from its cohorts to its tracked model.

    Parameters
    ----------
    experiment
        As :func:`experiments.config.read_experiment` read it.
    progress
        Where bars are drawn.
    workers
        Processes of the resampling; they make no difference to the result.
    stem
        Name of the MLflow experiment and beginning of the run's folder: the file's name without ending.
    tracking
        False writes the run's folder and logs nothing.
    drawing
        False writes neither report nor card.
    """
    with threadpool_limits(limits=1):  # many threads on small matrices made a fit eight times slower on two cores
        if experiment.fit_on == "arms":
            from experiments.run_arms import run_on_arms

            return run_on_arms(experiment, progress, stem=stem, tracking=tracking, drawing=drawing)
        from experiments.run import run_on_patients

        return run_on_patients(experiment, progress, workers=workers, stem=stem, tracking=tracking, drawing=drawing)
