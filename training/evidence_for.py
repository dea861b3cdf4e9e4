"""The evidence term for an experiment: published arms without those of the trials whose patients are at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.sources.published_arms import Arm
    from models.evidence import EvidenceTerm


def arms_of(family: str) -> list[Arm]:
    """Return the published arms of a model family, in file order."""
    from features.sources.published_arms import arms

    return [arm for arm in arms() if arm.family == family]


def evidence_without(family: str, trial_families: Sequence[str], cohorts: Sequence[str]) -> EvidenceTerm:
    """Return the evidence of a model family, without the arms of the named trial families and cohorts."""
    from models.evidence import EvidenceTerm

    return EvidenceTerm.fit(arms_of(family), drop_families=tuple(trial_families), drop_cohorts=tuple(cohorts))
