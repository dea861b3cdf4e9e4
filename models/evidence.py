"""Evidence: what published trial arms say about a therapy in an alteration, a histology and a line, partially pooled.

Fitted on responders of n (:mod:`models.evidence_fit`), applied with numpy only. One term speaks for one family; cases
of the other family, and cases whose regimen no arm speaks to, get no uplift over their histology and are not covered.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from features.evidence_profile import profiles_of
from models.evidence_arms import ArmRow, ContrastRow, contrasts_of, rows_of
from models.evidence_coverage import Coverage
from models.evidence_data import Variances
from models.evidence_design import data_of, declared, names_of, pool_of, pools_of
from models.evidence_fit import Posterior, learn_variances, posterior

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from features.batch import Batch
    from features.evidence_profile import Profile
    from features.sources.published_arms import Arm
    from models.evidence_data import FloatArray

FORMAT = 1

MOST_CACHED = 20_000
"""Profiles whose answers are kept; the oldest is dropped first."""


@dataclass(frozen=True)
class EvidenceValues:
    """Evidence of the cases of a batch.

    Attributes
    ----------
    log_odds
        Shape (n,).
    variance
        Shape (n,): of the log-odds, from the penalised covariance; the variance between trials is not in it.
    names, parts
        Names (k) and contributions, shape (n, k), in log-odds: they sum to ``log_odds``.
    covered
        Shape (n,): whether arms speak to the regimen (in its alteration, where it is chosen by one).
    between_trial_variance
        Added to ``variance`` for the spread of a new trial or of one patient's population.
    """

    log_odds: FloatArray
    variance: FloatArray
    names: tuple[str, ...]
    parts: FloatArray
    covered: np.ndarray[Any, np.dtype[np.bool_]]
    between_trial_variance: float


@dataclass(frozen=True)
class _Worked:
    """One profile worked out."""

    places: np.ndarray[Any, np.dtype[np.int64]]
    values: FloatArray
    terms: Mapping[str, float]
    parts: FloatArray
    variance: float
    covered: bool
    nearest: dict[int, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class EvidenceTerm:
    """Fitted evidence of one family.

    Attributes
    ----------
    family
        ``checkpoint`` or ``targeted``.
    arms
        The arms that were fitted.
    contrasts
        The declared differences that were fitted with them.
    variances
        By pool name, and ``between families``, ``between arms``.
    """

    family: str
    arms: tuple[ArmRow, ...]
    contrasts: tuple[ContrastRow, ...]
    names: tuple[str, ...]
    pools: tuple[str, ...]
    variances: Variances
    fitted: Posterior
    _place: Mapping[str, int] = field(repr=False)
    _cache: OrderedDict[Profile, _Worked] = field(default_factory=OrderedDict, repr=False)

    # --- fitting --------------------------------------------------------------------------------------------------

    @classmethod
    def fit(
        cls,
        arms: Sequence[Arm],
        drop_families: Collection[str] = (),
        drop_cohorts: Collection[str] = (),
        variances: Variances | None = None,
    ) -> Self:
        """Fit on the arms of one family.

        Parameters
        ----------
        arms
            All of one family; those that may not be fitted are passed over (:attr:`Arm.fits`).
        drop_families
            Trial families to leave out.
        drop_cohorts
            Patient-level cohorts that train or are scored: every arm of their trials is left out.
        variances
            Of the pools, when they are not to be learned again; pools must be those of the same arms.
        """
        families = {arm.family for arm in arms}
        if len(families) != 1:
            raise ValueError(f"evidence is fitted on the arms of one family, not of {sorted(families)}")
        own = {arm.trial_family for arm in arms if arm.cohort and arm.cohort in set(drop_cohorts)}
        left_out = own | set(drop_families) | set(drop_cohorts)
        kept = [arm for arm in arms if arm.trial_family not in left_out]
        return cls.of_rows(families.pop(), rows_of(kept), variances)

    @classmethod
    def of_rows(cls, family: str, rows: Sequence[ArmRow], variances: Variances | None = None) -> Self:
        """Fit on rows as they are stored; see :meth:`fit`."""
        contrasts, pools = contrasts_of(family), pools_of(family)
        names = names_of(family, rows, contrasts)
        data = data_of(family, rows, contrasts, names, pools)
        learned = learn_variances(data, declared(pools)) if variances is None else variances
        return cls._assembled(family, rows, contrasts, names, learned, posterior(data, learned))

    @classmethod
    def _assembled(
        cls,
        family: str,
        rows: Sequence[ArmRow],
        contrasts: Sequence[ContrastRow],
        names: tuple[str, ...],
        variances: Variances,
        fitted: Posterior,
    ) -> Self:
        place = {name: i for i, name in enumerate(names)}
        return cls(family, tuple(rows), tuple(contrasts), names, pools_of(family), variances, fitted, place)

    # --- applying -------------------------------------------------------------------------------------------------

    @cached_property
    def _coverage(self) -> Coverage:
        return Coverage.of(self.family, [row.terms for row in self.arms])

    def spoken_to(self, profile: Profile) -> tuple[Mapping[str, float], bool]:
        """Return the terms of a profile as far as arms speak to it, and whether they do."""
        return self._coverage.spoken_to(profile)

    @property
    def between_trial_variance(self) -> float:
        """Variance between trial families and between arms of one, together."""
        return self.variances.between_families + self.variances.between_arms

    def evaluate(self, batch: Batch) -> EvidenceValues:
        """Return the evidence of every case; worked out once per distinct profile."""
        profiles, where = profiles_of(batch)
        worked = [self._work(profile) for profile in profiles]
        places = np.array(where, dtype=np.int64)
        parts = np.array([one.parts for one in worked], dtype=np.float64).reshape(-1, len(self.pools))[places]
        return EvidenceValues(
            log_odds=parts.sum(axis=1),
            variance=np.array([one.variance for one in worked], dtype=np.float64)[places],
            names=self.pools,
            parts=parts,
            covered=np.array([one.covered for one in worked], dtype=np.bool_)[places],
            between_trial_variance=self.between_trial_variance,
        )

    def terms(self, batch: Batch, row: int) -> list[tuple[str, float, float]]:
        """Return the terms of one case: name, value, log-odds; strongest first."""
        one = self._of_row(batch, row)
        coefficient = {self.names[place]: self.fitted.coefficients[place] for place in one.places}
        found = [(name, value, float(value * coefficient.get(name, 0.0))) for name, value in one.terms.items()]
        return sorted(found, key=lambda term: (-abs(term[2]), term[0]))

    def nearest_arms(self, batch: Batch, row: int, k: int = 5) -> list[dict[str, Any]]:
        """Return the arms that move this case's log-odds most, each with its count, rate, source and ``weight``.

        ``weight`` is by how much the case's log-odds follows the log-odds of the arm. None is returned for a case that
        no arm speaks to.
        """
        one = self._of_row(batch, row)
        if k not in one.nearest:
            one.nearest[k] = self._nearest(one, k)
        return [{**arm} for arm in one.nearest[k]]

    def _nearest(self, one: _Worked, k: int) -> list[dict[str, Any]]:
        if not one.covered:
            return []
        specific = np.array([not self.names[place].startswith(("base:", "line:")) for place in one.places], dtype=bool)
        shared = self.fitted.whitening @ (one.values[specific] @ self.fitted.covariance[one.places[specific]])
        weights = (shared @ self.fitted.whitening)[: len(self.arms)]
        best = np.argsort(-weights, kind="stable")[:k]
        return [{**self.arms[i].shown(), "weight": float(weights[i])} for i in best if weights[i] > 0]

    def _of_row(self, batch: Batch, row: int) -> _Worked:
        near, place = batch.near(row)
        profiles, where = profiles_of(near)
        return self._work(profiles[where[place]])

    def _work(self, profile: Profile) -> _Worked:
        known = self._cache.get(profile)
        if known is None:
            known = self._cache[profile] = self._worked(profile)
            if len(self._cache) > MOST_CACHED:
                self._cache.popitem(last=False)
        return known

    def _worked(self, profile: Profile) -> _Worked:
        pool = {name: i for i, name in enumerate(self.pools)}
        found, covered = self._coverage.spoken_to(profile)
        terms = {name: value for name, value in found.items() if pool_of(name) in pool}  # not the other family's
        known = [name for name in terms if name in self._place]
        places = np.array([self._place[name] for name in known], dtype=np.int64)
        values = np.array([terms[name] for name in known], dtype=np.float64)
        parts = np.zeros(len(self.pools))
        prior = 0.0
        for name, value in terms.items():
            prior += self.variances.of_group[pool[pool_of(name)]] * value * value
        np.add.at(parts, [pool[pool_of(name)] for name in known], values * self.fitted.coefficients[places])
        learned = self.fitted.whitening @ (values @ self.fitted.covariance[places])
        return _Worked(places, values, terms, parts, max(0.0, float(prior - learned @ learned)), covered)

    # --- storing --------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return everything, JSON-ready; numbers round-trip exactly."""
        return {
            "format": FORMAT,
            "family": self.family,
            "pools": dict(zip(self.pools, self.variances.of_group.tolist(), strict=True)),
            "between_families": self.variances.between_families,
            "between_arms": self.variances.between_arms,
            "coefficients": dict(zip(self.names, self.fitted.coefficients.tolist(), strict=True)),
            "latent": self.fitted.latent.tolist(),
            "arms": [row.to_dict() for row in self.arms],
            "contrasts": [row.to_dict() for row in self.contrasts],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the term that :meth:`to_json` came from; nothing is fitted again, only the curvature is rebuilt."""
        rows = [ArmRow(**row) for row in stored["arms"]]
        contrasts = [ContrastRow(**row) for row in stored["contrasts"]]
        names = tuple(stored["coefficients"])
        pools = tuple(stored["pools"])
        variances = Variances(
            np.array(list(stored["pools"].values())), stored["between_families"], stored["between_arms"]
        )
        data = data_of(stored["family"], rows, contrasts, names, pools)
        coefficients = np.array(list(stored["coefficients"].values()), dtype=np.float64)
        fitted = Posterior.at(data, variances, np.array(stored["latent"], dtype=np.float64), coefficients)
        return cls._assembled(stored["family"], rows, contrasts, names, variances, fitted)
