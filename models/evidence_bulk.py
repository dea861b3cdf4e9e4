"""The evidence of many cases at once: what a case's setting says and what its findings add, each worked out once.

Under a checkpoint inhibitor the terms of a case are those of its setting (histology, regimen, line, biomarkers, prior
therapy) and those that its altered genes add in its histology; no term belongs to both. Settings are few and gene sets
are few, their pairs are many: log-odds, parts and the whitened covariance are sums of the two, so each half is worked
out once. Equal to :meth:`models.evidence.EvidenceTerm.evaluate` to rounding (tests); the targeted family, whose
match binds regimen and findings together, is evaluated as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from features.batch import Findings
from features.evidence_profile import as_seen, profiles_of
from features.evidence_terms import family_of
from features.regimens import regimen
from models.evidence import EvidenceTerm, EvidenceValues
from models.evidence_design import pool_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, IntArray
    from features.evidence_profile import Finding, Profile
    from models.inputs import FloatArray
    from models.response import EvidenceLike

MOST_KEPT = 40_000
"""Halves whose numbers are kept, about 1.5 kB each; all are forgotten beyond that."""


@dataclass(frozen=True, slots=True)
class Half:
    """What a setting, or the findings in it, brings: log-odds by pool, prior variance, whitened covariance."""

    parts: FloatArray
    prior: float
    whitened: FloatArray
    covered: bool


@dataclass(frozen=True, eq=False)
class EvidenceInBulk:
    """Evaluates one evidence term for many batches; what was worked out is kept from batch to batch.

    Attributes
    ----------
    term
        The evidence term that is served.
    """

    term: EvidenceLike
    _kept: dict[Any, Half] = field(default_factory=dict, repr=False)
    _without: dict[Profile, Mapping[str, float]] = field(default_factory=dict, repr=False)
    _standing: dict[str, Profile] = field(default_factory=dict, repr=False)

    def evaluate(self, batch: Batch) -> Any:
        """Return what ``term.evaluate(batch)`` returns."""
        term = self.term
        if not isinstance(term, EvidenceTerm) or term.family != "checkpoint" or not batch.n:
            return term.evaluate(batch)
        if len(self._kept) > MOST_KEPT:
            self._kept.clear()
            self._without.clear()
        settings, of_case = _settings(batch)
        sets, of_findings = gene_sets(batch)
        halves = [self._setting(one) for one in settings]
        places = [self._place(one, half.covered) for one, half in zip(settings, halves, strict=True)]
        groups = {place: group for group, place in enumerate(dict.fromkeys(places))}
        group = np.array([groups[place] for place in places], dtype=np.int64)[of_case]
        pairs, of_pair = np.unique(group * len(sets) + of_findings, return_inverse=True)
        bare = list(groups)
        added = [self._added(bare[pair // len(sets)], sets[pair % len(sets)]) for pair in pairs.tolist()]
        return self._values(term, halves, of_case, added, of_pair)

    def nearest_arms(self, batch: Batch, row: int, k: int = 5) -> list[dict[str, Any]]:
        """Return the arms that the evidence of one case leans on."""
        return self.term.nearest_arms(batch, row, k)

    def to_json(self) -> dict[str, Any]:
        """Return the stored form of the term."""
        return self.term.to_json()

    def _values(
        self, term: EvidenceTerm, settings: Sequence[Half], at: IntArray, added: Sequence[Half], of_pair: IntArray
    ) -> EvidenceValues:
        def both(name: str) -> FloatArray:
            one, other = (np.array([getattr(half, name) for half in halves]) for halves in (settings, added))
            return np.asarray(one[at] + other[of_pair], dtype=np.float64)

        parts, whitened = both("parts"), both("whitened")
        return EvidenceValues(
            log_odds=parts.sum(axis=1),
            variance=np.maximum(0.0, both("prior") - np.einsum("ij,ij->i", whitened, whitened)),
            names=term.pools,
            parts=parts,
            covered=np.array([half.covered for half in settings], dtype=np.bool_)[at],
            between_trial_variance=term.between_trial_variance,
        )

    def _place(self, profile: Profile, covered: bool) -> Profile:
        """Return what the terms of findings depend on beside the findings: the histology, and whether arms speak.

        Every checkpoint regimen that arms speak to adds the same terms for a gene; the first one seen stands for all.
        """
        bare = profile._replace(mmr=None, tmb=None, pdl1=None, line=None, prior=None)
        if not covered or family_of(profile) != "checkpoint":
            return bare
        return self._standing.setdefault(profile.histology, bare)

    def _setting(self, profile: Profile) -> Half:
        found = self._kept.get(profile)
        if found is None:
            found = self._kept[profile] = self._half(*self._spoken_to(profile))
        return found

    def _added(self, place: Profile, findings: frozenset[Finding]) -> Half:
        key = (place, findings)
        found = self._kept.get(key)
        if found is None:
            without = self._without.get(place)
            if without is None:
                without = self._without[place] = self._spoken_to(place)[0]
            whole, covered = self._spoken_to(place._replace(findings=tuple(findings)))
            found = self._kept[key] = self._half({n: v for n, v in whole.items() if n not in without}, covered)
        return found

    def _spoken_to(self, profile: Profile) -> tuple[Mapping[str, float], bool]:
        assert isinstance(self.term, EvidenceTerm)  # noqa: S101  # evaluate has asked
        return self.term.spoken_to(profile)

    @cached_property
    def _whitened(self) -> FloatArray:
        """Whitened covariance of each coefficient with the arms, shape (p, arms)."""
        fitted = self.term.fitted  # type: ignore[attr-defined]  # an EvidenceTerm, see evaluate
        return np.asarray(fitted.covariance @ fitted.whitening.T, dtype=np.float64)

    def _half(self, terms: Mapping[str, float], covered: bool) -> Half:
        term = self.term
        assert isinstance(term, EvidenceTerm)  # noqa: S101  # evaluate has asked
        of_group, prior = self._variance_of, 0.0
        places, pools, values = [], [], []
        for name, value in terms.items():
            pool, place = self._pool_and_place(name)
            if pool < 0:  # a term of the other family
                continue
            prior += of_group[pool] * value * value
            if place >= 0:
                places.append(place)
                pools.append(pool)
                values.append(value)
        found = np.array(values, dtype=np.float64)
        parts = np.bincount(pools, weights=found * term.fitted.coefficients[places], minlength=len(term.pools))
        return Half(np.asarray(parts, dtype=np.float64), prior, found @ self._whitened[places], covered)

    def _pool_and_place(self, name: str) -> tuple[int, int]:
        known = self._known_names.get(name)
        if known is None:
            known = self._known_names[name] = (self._pool.get(pool_of(name), -1), self._place_of.get(name, -1))
        return known

    @cached_property
    def _variance_of(self) -> list[float]:
        found: list[float] = self.term.variances.of_group.tolist()  # type: ignore[attr-defined]
        return found

    @cached_property
    def _known_names(self) -> dict[str, tuple[int, int]]:
        return {}

    @cached_property
    def _pool(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.term.pools)}  # type: ignore[attr-defined]

    @cached_property
    def _place_of(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.term.names)}  # type: ignore[attr-defined]


def _settings(batch: Batch) -> tuple[list[Profile], IntArray]:
    """Return the distinct settings, findings left out, and each case's place among them."""
    bare = replace(batch, findings=Findings(), findings_recorded=np.zeros(batch.n, dtype=np.bool_))
    found, where = profiles_of(bare)
    places: dict[Profile, int] = {}
    at = [places.setdefault(_reduced_prior(profile), len(places)) for profile in found]
    return list(places), np.array(at, dtype=np.int64)[where]


def _reduced_prior(profile: Profile) -> Profile:
    """Keep of what was given before only whether it held a checkpoint inhibitor: all that checkpoint terms ask."""
    if not profile.prior or family_of(profile) != "checkpoint":
        return profile
    checkpoint = tuple(key for key in profile.prior if regimen(key).family in ("checkpoint", "mixed"))
    return profile._replace(prior=checkpoint[:1])


def gene_sets(batch: Batch) -> tuple[list[frozenset[Finding]], IntArray]:
    """Return the distinct sets of genes found altered, one finding for each gene, and each case's place among them.

    Passengers, expression and negatives are left out: checkpoint terms do not ask for them.
    """
    of_gene: dict[str, tuple[int, Finding]] = {}
    codes = np.full(len(batch.findings.levels) + 1, -1, dtype=np.int64)
    for level, alteration in enumerate(batch.findings.levels):
        one = as_seen(alteration)
        if one is not None and one.present and one.kind != "expression":
            codes[level] = of_gene.setdefault(one.reading.gene, (len(of_gene), one))[0]
    found = codes[batch.findings.codes]
    seen = np.zeros((batch.n, len(of_gene)), dtype=np.bool_)
    seen[batch.findings.row[found >= 0], found[found >= 0]] = True
    packed = np.packbits(seen, axis=1)
    if not packed.shape[1]:
        return [frozenset()], np.zeros(batch.n, dtype=np.int64)
    whole = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, where = np.unique(whole, return_index=True, return_inverse=True)
    findings = [one for _, one in of_gene.values()]
    return [frozenset(findings[g] for g in np.flatnonzero(seen[row])) for row in first.tolist()], where
