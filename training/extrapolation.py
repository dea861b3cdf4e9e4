"""Where the model was not fitted: each main histology and therapy class left out, every predictor beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.bootstrap import RESAMPLES
from training.further import FurtherTable
from training.left_out import FEWEST_LEFT_OUT, left_levels
from training.within_cohorts import COLUMNS, over_cohorts

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.fit import Recipe
    from training.further import Cell
    from training.pool import Pool
    from training.same_patients import Twins
    from training.workers import Workers

LEFT_COLUMNS = (("left_out", "left out"), ("predictor", "predictor"), *COLUMNS, ("note", "note"))


def extrapolation_table(
    recipe: Recipe,
    pool: Pool,
    levels: NDArray[Any],
    what: str,
    twins: Twins,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    each: Callable[[str], None] | None = None,
    workers: Workers | None = None,
) -> FurtherTable:
    """Leave out each level and score it, cohort by cohort; levels with too few cases are named in the notes.

    Parameters
    ----------
    levels
        Shape (n,): what is left out together.
    what
        ``histology`` or ``therapy class``, for title and file.
    workers
        Those of the run, which hold this recipe and pool; None does everything here.
    """
    rows: list[dict[str, Cell]] = []
    scored = set()
    for level, scenes in left_levels(recipe, pool, levels, f"leave one {what} out", twins, each, workers):
        scored.add(level)
        for predictor in dict.fromkeys(one.predictor for scene in scenes for one in scene.forecasts):
            judged = over_cohorts(scenes, predictor, resamples=resamples, seed=seed)
            rows.append({"left_out": level, "predictor": predictor, **judged})
    few = sorted({str(level) for level in levels.tolist()} - scored)
    notes = (
        [f"Not scored, fewer than {FEWEST_LEFT_OUT} cases or nothing left to fit on: {', '.join(few)}."] if few else []
    )
    name = f"left_out_{what.replace(' ', '_')}"
    return FurtherTable(name, f"Leave one {what} out", LEFT_COLUMNS, tuple(rows), tuple(notes))
