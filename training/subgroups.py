"""For whom: every metric by histology, sex, age, MSI, prior lines, cohort and race, where they are recorded.

A group with fewer than 20 cases or 5 responders is counted and not scored. Unknown is a group of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from features import histology
from features.therapy_classes import classes
from models.bootstrap import RESAMPLES
from models.comparators import msi_high
from training.further import FurtherTable
from training.left_out import main_histologies, therapy_classes
from training.within_cohorts import COLUMNS, over_cohorts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from features.batch import Batch, FloatArray
    from training.further import Cell
    from training.judged import Scene
    from training.pool import Pool

AGE_BANDS = (50.0, 65.0, 75.0)
AGE_NAMES = ("under 50", "50 to 64", "65 to 74", "75 and over")
"""Years; a band begins with its first number."""

UNKNOWN = "unknown"

SUBGROUP_COLUMNS = (("by", "by"), ("group", "group"), *COLUMNS, ("note", "note"))


def subgroup_labels(pool: Pool) -> dict[str, NDArray[Any]]:
    """Return, by attribute, the group of each case, shape (n,).

    Attributes that no case of the pool records (race, in most cohorts) are left out.
    """
    batch = pool.batch()
    found = {
        "cohort": pool.source,
        "histology": main_histologies(pool),
        "therapy class": therapy_classes(pool),
        "sex": _texts(batch, "patient.sex"),
        "age": _age_bands(batch.numbers["patient.age_years"]),
        "MSI": _named(msi_high(batch), {1.0: "MSI-high or MMR-deficient", 0.0: "stable or proficient"}),
        "prior lines": _lines(batch),
        "race": _texts(batch, "patient.race"),
    }
    return {name: labels for name, labels in found.items() if (labels != UNKNOWN).any()}


def group_title(attribute: str, label: str) -> str:
    """Return a group's name for people; what the vocabularies do not know stands as it is.

    Examples
    --------
    >>> group_title("histology", "NSCLC"), group_title("therapy class", "pd1_pdl1"), group_title("age", "under 50")
    ('Non-Small Cell Lung Cancer', 'PD-1 or PD-L1 inhibitor', 'under 50')
    """
    if attribute == "histology" and label != UNKNOWN:
        return histology.row(label).name
    if attribute == "therapy class" and label in classes():
        return classes()[label].title
    return label


def _texts(batch: Batch, path: str) -> NDArray[Any]:
    return np.array([text or UNKNOWN for text in batch.texts[path].texts()], dtype=np.str_)


def _named(values: FloatArray, names: Mapping[float, str]) -> NDArray[Any]:
    return np.array([names.get(value, UNKNOWN) for value in values.tolist()], dtype=np.str_)


def _age_bands(years: FloatArray) -> NDArray[Any]:
    band = np.searchsorted(AGE_BANDS, years, side="right")
    return np.array([UNKNOWN if np.isnan(y) else AGE_NAMES[b] for y, b in zip(years, band, strict=True)], dtype=np.str_)


def _lines(batch: Batch) -> NDArray[Any]:
    """Return prior lines; where their number is not known, whether there was any therapy before."""
    lines, any_before = batch.numbers["prior_lines"], batch.numbers["prior_systemic_therapy"]
    found = []
    for count, before in zip(lines.tolist(), any_before.tolist(), strict=True):
        if not np.isnan(count):
            found.append("3 or more" if count >= 3 else f"{count:.0f}")
        else:
            found.append("some, number unknown" if before == 1 else UNKNOWN)
    return np.array(found, dtype=np.str_)


def subgroup_table(
    scenes: Sequence[Scene],
    pool: Pool,
    *,
    name: str = "subgroups",
    title: str = "For whom: subgroups, out of fold",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> FurtherTable:
    """Return our model's metrics by subgroup.

    Parameters
    ----------
    scenes
        One per cohort of the pool, each holding the pool's cases of that cohort in the pool's order (as
        :func:`training.resampling.resample` returns them).
    pool
        The cases, for what they record.
    """
    rows: list[dict[str, Cell]] = []
    for attribute, labels in subgroup_labels(pool).items():
        for group in _in_order(labels):
            parts = [_part(scene, labels[pool.source == scene.cohort] == group) for scene in scenes]
            held = [part for part in parts if len(part.outcome)]
            judged = over_cohorts(held, resamples=resamples, seed=seed)
            rows.append({"by": attribute, "group": group_title(attribute, str(group)), **judged})
    notes = ("AUROC within cohorts, pooled by inverse variance. Under 20 cases or 5 responders: counted, not scored.",)
    return FurtherTable(name, title, SUBGROUP_COLUMNS, tuple(rows), notes)


def _in_order(labels: NDArray[Any]) -> list[str]:
    """Return the groups by name, age bands by age, unknown last."""
    names = [str(name) for name in np.unique(labels)]
    return sorted(names, key=lambda name: (name == UNKNOWN, AGE_NAMES.index(name) if name in AGE_NAMES else 0, name))


def _part(scene: Scene, rows: NDArray[np.bool_]) -> Scene:
    return scene.take(np.flatnonzero(rows))
