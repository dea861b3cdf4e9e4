"""Which therapy classes a patient has had before, and whether the therapy at hand is more of the same.

*Same class before* means that an earlier regimen shares a class with the therapy at hand (chemotherapy, endocrine and
the like do not count), or that it holds a small molecule that acts on the first target of a small molecule at hand:
crizotinib (ALK, ROS1, MET) before entrectinib (ROS1). What a VEGFR or other multikinase inhibitor hits beside its main
target is not counted: published arms call RET inhibitors after cabozantinib new to the class. *Same generation before*
adds that the earlier drug was of the same or a newer generation: gefitinib before osimertinib is the same class and an
older generation.

Facts come per distinct regimen, and per distinct pair of an earlier and a current regimen; cases only look them up.
Where a record does not say enough (``class:checkpoint_unspecified`` may or may not have been CTLA-4), the fact is
*possible*, which is neither yes nor no.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from features.agents import agents
from features.regimens import RegimenFacts, regimen
from features.therapy_classes import classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import Batch, FloatArray

YES, NO, POSSIBLE = (1.0, 0.0), (0.0, 0.0), (0.0, 1.0)
"""A fact about one regimen: (it is so, it may be so)."""

BY_REGIMEN = ("checkpoint", "ctla4", "targeted", "platinum")
BY_PAIR = ("same_class", "same_generation")
FACTS = (*BY_REGIMEN, *BY_PAIR)
"""What is asked of every earlier regimen, in the order of the columns of :func:`classes_before`."""

MULTIKINASE = frozenset({"vegfr", "ret_multikinase"})
"""Classes whose side targets make nothing the same class (published arm ``libretto_mtc_pre``)."""

MOST_PAIRS = 20_000_000
"""Distinct earlier regimens times distinct current ones that are told apart by one array (20 MB)."""


FEW_PAIRS = 32
"""Up to this many listed regimens are looked up one by one, which is then the faster way."""


def _fact(holds: bool, possible: bool = False) -> tuple[float, float]:
    return YES if holds else POSSIBLE if possible else NO


def regimen_facts(key: str) -> tuple[float, ...]:
    """Return (yes, possible) for every fact of :data:`BY_REGIMEN`, flat.

    Examples
    --------
    >>> regimen_facts("ipilimumab"), regimen_facts("class:chemotherapy")[-2:]
    ((1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0), (0.0, 1.0))
    """
    facts = regimen(key)
    families = {classes()[part].family for part in facts.parts}
    unnamed_chemotherapy = "chemotherapy" in facts.parts and (not facts.agents or "chemotherapy" in facts.agents)
    return (
        *_fact("checkpoint" in families),
        *_fact("ctla4" in facts.parts, "checkpoint_unspecified" in facts.parts),
        *_fact("targeted" in families),
        *_fact("platinum" in facts.targets, unnamed_chemotherapy),
    )


def pair_facts(before: str, now: str) -> tuple[float, ...]:
    """Return (yes, possible) for every fact of :data:`BY_PAIR`, flat.

    Examples
    --------
    >>> pair_facts("gefitinib", "osimertinib"), pair_facts("osimertinib", "osimertinib")
    ((1.0, 0.0, 0.0, 0.0), (1.0, 0.0, 1.0, 0.0))
    >>> pair_facts("crizotinib", "entrectinib")[:2], pair_facts("trastuzumab", "tucatinib")[:2]
    ((1.0, 0.0), (0.0, 0.0))
    """
    earlier, current = regimen(before), regimen(now)
    same = _same_class(earlier, current)
    return (*same, *_same_generation(earlier, current, same))


def _same_class(earlier: RegimenFacts, current: RegimenFacts) -> tuple[float, float]:
    earlier_parts, current_parts = _specific(earlier), _specific(current)
    shared = bool(earlier_parts & current_parts)
    unspecified = "checkpoint_unspecified"
    either = earlier_parts | current_parts
    checkpoint = all("checkpoint" in {classes()[p].family for p in parts} for parts in (earlier_parts, current_parts))
    return _fact(shared or _hits_first_target(earlier, current), unspecified in either and checkpoint)


def _specific(facts: RegimenFacts) -> frozenset[str]:
    return frozenset(part for part in facts.parts if classes()[part].family != "other")


def _hits_first_target(earlier: RegimenFacts, current: RegimenFacts) -> bool:
    wanted = {agents()[name].targets[0] for name in _small_molecules(current)}
    broad = [agents()[name] for name in _small_molecules(earlier)]
    return any(wanted.intersection(one.targets) for one in broad if one.therapy_class not in MULTIKINASE)


def _small_molecules(facts: RegimenFacts) -> tuple[str, ...]:
    return tuple(name for name in facts.agents if agents()[name].mechanism == "small_molecule")


def _same_generation(earlier: RegimenFacts, current: RegimenFacts, same: tuple[float, float]) -> tuple[float, float]:
    if same != YES:
        return same
    if earlier.generation is not None and current.generation is not None:
        return _fact(earlier.generation >= current.generation)
    ungraded = earlier.generation is None and current.generation is None
    return _fact(ungraded and bool(earlier.agents) and bool(current.agents), possible=True)


def classes_before(batch: Batch, complete: NDArray[np.bool_], none_before: NDArray[np.bool_]) -> FloatArray:
    """Return 1, 0 or NaN for every fact of :data:`FACTS`, shape (n, 6).

    Parameters
    ----------
    batch
        The cases.
    complete
        Shape (n,): the list of earlier regimens is there and nothing says that it is short, so that what is not in
        it did not happen.
    none_before
        Shape (n,): no systemic therapy before the index date.
    """
    priors = batch.priors
    certain = complete | none_before
    if not priors.row.size:
        return np.where(certain[:, None], 0.0, np.full((1, len(FACTS)), np.nan))
    found = _facts_of_listed(batch)
    width = found.shape[1]
    places = priors.row[:, None] * width + np.arange(width)
    count = np.bincount(places.ravel(), weights=found.ravel(), minlength=batch.n * width).reshape(batch.n, width) > 0
    yes, possible = count[:, 0::2], count[:, 1::2]
    return np.where(yes, 1.0, np.where(possible | ~certain[:, None], np.nan, 0.0))


def _facts_of_listed(batch: Batch) -> FloatArray:
    """Return (yes, possible) for every fact and every listed regimen, shape (m, 12)."""
    priors, therapy = batch.priors, batch.texts["therapy"]
    width = len(therapy.levels)
    pair = priors.regimen.codes * width + therapy.codes[priors.row]
    distinct, place = _distinct(pair, len(priors.regimen.levels) * width)
    rows = [_all_facts(priors.regimen.levels[p // width], therapy.levels[p % width]) for p in distinct.tolist()]
    return np.array(rows, dtype=np.float64)[place]


@lru_cache(maxsize=65_536)
def _all_facts(before: str, now: str) -> tuple[float, ...]:
    return (*regimen_facts(before), *pair_facts(before, now))


def _distinct(values: NDArray[np.int64], bound: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct values below a bound (a few values as they are), and for each value its place among them."""
    if bound > MOST_PAIRS:
        return np.unique(values, return_inverse=True)
    if values.size <= FEW_PAIRS:
        return values, np.arange(values.size)
    present = np.zeros(bound, dtype=np.bool_)
    present[values] = True
    distinct = np.flatnonzero(present)
    place = np.empty(bound, dtype=np.int64)
    place[distinct] = np.arange(distinct.size)
    return distinct, place[values]
