"""The design of the evidence: which terms are pooled, what is declared beforehand, and the matrix of the arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.evidence_terms import POOL_OF_KIND
from features.vocabulary import table
from models.evidence_data import ArmData, Variances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.evidence_arms import ArmRow, ContrastRow

DECLARED_SD = 0.5
"""Declared centre of the prior of a main pool's standard deviation on the log-odds: an odds ratio of 1.6."""

DECLARED_SD_INTERACTION = 0.2
"""The same for interactions: they correct their parts, so less is expected of each."""

DECLARED_SD_BASE = 1.5
"""The same for the base, which is nearly free."""

DECLARED_SD_TRIALS = 0.3
"""The same between trial families, and between arms of one family."""


def pools_of(family: str) -> tuple[str, ...]:
    """Return the pools of a family, in order."""
    other = {
        "checkpoint": {"match and design", "dose of the target", "resistance", "therapy x alteration"},
        "targeted": {"biomarker", "biomarker x histology", "line x histology"},
    }[family]
    return tuple(pool for pool in dict.fromkeys(POOL_OF_KIND.values()) if pool not in other)


def declared(pools: Sequence[str]) -> Variances:
    """Return the centres of the priors of the variances."""
    sd = [
        DECLARED_SD_BASE if pool == "base" else DECLARED_SD_INTERACTION if " x " in pool else DECLARED_SD
        for pool in pools
    ]
    return Variances(np.array(sd) ** 2, DECLARED_SD_TRIALS**2, DECLARED_SD_TRIALS**2)


def rules(family: str) -> dict[str, float]:
    """Return the declared prior means of terms (``evidence_rules.csv``), each with its source there."""
    return {row["term"]: float(row["prior_mean"]) for row in table("evidence_rules") if row["family"] == family}


def pool_of(name: str) -> str:
    """Return the pool of a term.

    Examples
    --------
    >>> pool_of("agent:sotorasib")
    'therapy'
    """
    return POOL_OF_KIND[name.partition(":")[0]]


def names_of(family: str, rows: Sequence[ArmRow], contrasts: Sequence[ContrastRow]) -> tuple[str, ...]:
    """Return the names of all terms, sorted; a declared rule counts whether or not an arm speaks of it."""
    return tuple(sorted({*rules(family), *(name for terms in _terms(rows, contrasts) for name in terms)}))


def _terms(rows: Sequence[ArmRow], contrasts: Sequence[ContrastRow]) -> list[Mapping[str, float]]:
    return [*(row.terms for row in rows), *(row.terms for row in contrasts)]


def data_of(
    family: str,
    rows: Sequence[ArmRow],
    contrasts: Sequence[ContrastRow],
    names: tuple[str, ...],
    pools: Sequence[str],
) -> ArmData:
    """Return arms and contrasts as matrix and observations; a term that a row does not have is 0."""
    place = {name: i for i, name in enumerate(names)}
    terms = np.zeros((len(rows) + len(contrasts), len(names)))
    for i, of_row in enumerate(_terms(rows, contrasts)):
        for name, value in of_row.items():
            terms[i, place[name]] = value
    stated = rules(family)
    trial = {name: i for i, name in enumerate(sorted({row.trial_family for row in rows}))}
    weight = np.array([row.weight for row in rows], dtype=np.float64)
    no_arms, no_contrasts = np.zeros(len(rows)), np.zeros(len(contrasts))
    return ArmData(
        terms=terms,
        groups=np.array([tuple(pools).index(pool_of(name)) for name in names], dtype=np.int64),
        prior_mean=np.array([stated.get(name, 0.0) for name in names], dtype=np.float64),
        responders=np.concatenate([weight * np.array([row.responders for row in rows]), no_contrasts]),
        treated=np.concatenate([weight * np.array([row.n for row in rows]), no_contrasts]),
        family=np.array([*(trial[row.trial_family] for row in rows), *(-1 for _ in contrasts)], dtype=np.int64),
        difference=np.concatenate([no_arms, np.array([row.difference for row in contrasts], dtype=np.float64)]),
        precision=np.concatenate([no_arms, np.array([row.standard_error**-2 for row in contrasts], dtype=np.float64)]),
    )
