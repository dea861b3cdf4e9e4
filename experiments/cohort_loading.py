"""Finding the cohorts that an experiment names: by id under ``$ORP_COHORTS`` or ``./cohorts``, or by folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.cohort import Cohort
from features.cohort_refusals import CohortNotFound
from features.errors import Refusal
from features.histology import lineage, resolve
from features.vocabulary import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.config import Experiment

COHORTS_VARIABLE, DEFAULT_COHORTS = "ORP_COHORTS", "cohorts"

DESCRIPTION = "cohort.json"
"""The file that makes a folder a cohort."""

_SYNTHETIC = re.compile(r"synthetic-(checkpoint|targeted)-(development|external)-(\d+)")


class CohortDisagrees(Refusal):
    """A cohort that is not what the experiment says: another endpoint, real instead of synthetic."""

    code = "cohort_disagrees"


def cohorts_folder() -> Path:
    """Return where cohorts are kept: ``$ORP_COHORTS``, or ``./cohorts``."""
    return Path(os.environ.get(COHORTS_VARIABLE) or DEFAULT_COHORTS)


def find_cohort(name: str, synthetic_cases: int) -> Cohort:
    """Load a cohort by id or folder; an embedded synthetic one that is not on disk is drawn.

    Parameters
    ----------
    name
        ``loris-msk1``, a path, or ``synthetic-checkpoint-development-7`` (family, sites, seed).
    synthetic_cases
        How many cases to draw of a synthetic cohort that is not on disk.

    Raises
    ------
    CohortNotFound
        With the ids that there are.
    """
    for folder in (Path(name), cohorts_folder() / name):
        if (folder / DESCRIPTION).is_file():
            return Cohort.load(folder)
    embedded = _SYNTHETIC.fullmatch(name)
    if embedded is not None:
        from features.sources.synthetic import draw

        family, sites, seed = embedded.groups()
        return draw(family, synthetic_cases, int(seed), cohort=sites)  # type: ignore[arg-type]  # the pattern checked
    known = sorted(found.parent.name for found in cohorts_folder().glob(f"*/{DESCRIPTION}"))
    raise CohortNotFound(
        f"there is no cohort {name!r}, neither a folder nor in $ORP_COHORTS ({cohorts_folder().name}/)",
        allowed=nearest(name, known) or known,
        way_out="Build it with `oncorespond cohort build`, or all with `make cohorts SHARED=../shared`.",
    )


def load_cohorts(names: Sequence[str], experiment: Experiment) -> list[Cohort]:
    """Load cohorts and check that they are what the experiment says they are.

    Raises
    ------
    CohortNotFound, CohortDisagrees
    """
    found = [find_cohort(name, experiment.cohorts.synthetic_cases) for name in names]
    for cohort in found:
        _check(cohort, experiment)
    return [_of_histologies(cohort, experiment.cohorts.histologies) for cohort in found]


def _of_histologies(cohort: Cohort, wanted: Sequence[str]) -> Cohort:
    """Return the cases that have one of the wanted codes in their lineage; all when none is wanted."""
    if not wanted:
        return cohort
    codes = {resolve(code) for code in wanted}
    seen = cohort.batch().texts["histology"].texts()
    held = [code is not None and not codes.isdisjoint(lineage(code)) for code in seen]
    if not any(held):
        record = cohort.provenance.cohort_id
        raise CohortDisagrees(f"has no case of {', '.join(wanted)}", record=record, field="cohorts.histologies")
    return cohort if all(held) else cohort.take(np.flatnonzero(held))


def _check(cohort: Cohort, experiment: Experiment) -> None:
    said, seen = experiment.question.endpoint, cohort.provenance.endpoint
    record = cohort.provenance.cohort_id
    if seen is not None and seen != said:
        raise CohortDisagrees(
            f"records {seen} and the question asks for {said}; kinds of response are never pooled",
            record=record,
            field="question.endpoint",
        )
    if cohort.provenance.synthetic != experiment.synthetic:
        kinds = ("synthetic", "real") if cohort.provenance.synthetic else ("real", "synthetic")
        raise CohortDisagrees(
            f"is {kinds[0]} and the experiment is {kinds[1]}; one fit never mixes them",
            record=record,
            field="synthetic",
        )
