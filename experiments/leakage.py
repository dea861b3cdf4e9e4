"""What must not leak: shared patients between training and external cohorts, and arms of the cohorts' own trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.errors import Refusal
from features.overlap import Overlap, overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.config import CohortSettings
    from features.cohort import Cohort
    from features.provenance import Provenance


class SharedPatients(Refusal):
    """Training and external cohorts probably hold the same people, and the experiment does not say what to do."""

    code = "shared_patients"


@dataclass(frozen=True)
class OverlapFound:
    """The comparison of two cohorts in one sentence, and how many training cases were left out for it."""

    sentence: str
    removed: int
    against: str = ""


def without_shared_patients(
    development: Sequence[Cohort], external: Sequence[Cohort], settings: CohortSettings
) -> tuple[list[Cohort], list[OverlapFound]]:
    """Compare every development cohort with every external one and do what the experiment says.

    Returns
    -------
    tuple
        The development cohorts, without the probable same patients where ``overlap: remove_from_training``; and one
        sentence per comparison, for the report.

    Raises
    ------
    SharedPatients
        When there is a probable overlap and ``overlap`` is ``refuse``.
    """
    kept, sentences = [], []
    for ours in development:
        shared: set[str] = set()
        for theirs in external:
            found = overlap(ours, theirs)
            if found.probable and settings.overlap == "refuse":
                raise _refusal(found)
            removed = found.probable and settings.overlap == "remove_from_training"
            matched = {pair.case for pair in found.pairs} if removed else set()
            shared |= matched
            sentences.append(OverlapFound(_sentence(found, settings), len(matched), found.against))
        rows = [row for row, case in enumerate(ours.case_ids) if case not in shared]
        kept.append(ours.take(np.array(rows)) if shared else ours)
    return kept, sentences


def _refusal(found: Overlap) -> SharedPatients:
    return SharedPatients(
        f"{found.matched} of {found.cases} cases are probably patients of {found.against} as well"
        f" ({found.expected:.1f} expected by chance)",
        record=found.cohort,
        field="cohorts.overlap",
        allowed=("remove_from_training", "accept"),
        way_out="Say in the experiment file how they are handled, and why (overlap_reason).",
    )


def _sentence(found: Overlap, settings: CohortSettings) -> str:
    counted = (
        f"{found.cohort} against {found.against}: {found.matched} of {found.cases} cases agree in "
        f"{', '.join(found.fields) or 'no field'}, {found.expected:.1f} expected by chance"
    )
    if not found.probable:
        return f"{counted}; {'no probable overlap' if found.decisive else 'too few fields to tell persons apart'}."
    done = "left out of training" if settings.overlap == "remove_from_training" else "accepted"
    return f"{counted}; probable same patients {done}: {settings.overlap_reason}"


def own_trials(provenances: Sequence[Provenance]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return trial families and published cohorts whose arms must not be evidence for these cohorts."""
    families = {p.trial_family for p in provenances if p.trial_family}
    cohorts = {p.published_cohort for p in provenances if p.published_cohort}
    return tuple(sorted(families)), tuple(sorted(cohorts))
