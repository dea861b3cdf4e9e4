"""The evidence of many cases at once: what a setting, its biomarkers and its findings say, each worked out once.

Under a checkpoint inhibitor the terms of a case are those of its setting (histology, regimen, line, prior therapy),
those that its biomarkers add in its histology, and those that its altered genes add there; no term belongs to two of
them. Each of the three is few, what they make together is many: log-odds, parts and the whitened covariance are sums
of three, so each share is worked out once. Equal to :meth:`models.evidence.EvidenceTerm.evaluate` to rounding (tests);
the targeted family, whose match binds regimen and findings together, is evaluated as a whole.
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
    from collections.abc import Mapping

    from features.batch import Batch, IntArray
    from features.evidence_profile import Finding, Profile
    from models.inputs import BoolArray, FloatArray
    from models.response import EvidenceLike

NO_MARKERS: dict[str, Any] = {"mmr": None, "tmb": None, "pdl1": None}

MOST_KEPT = 40_000
"""Shares whose numbers are kept, about 1.5 kB each; all are forgotten beyond that."""


@dataclass(eq=False)
class Shares:
    """What settings, and findings in them, bring: a row each, by key.

    Attributes
    ----------
    numbers
        Shape (room, k + 1 + arms): log-odds by pool, prior variance, whitened covariance.
    covered
        Shape (room,).
    """

    numbers: FloatArray
    covered: BoolArray
    rows: dict[Any, int] = field(default_factory=dict)

    @classmethod
    def of_width(cls, width: int) -> Shares:
        """Return an empty store."""
        return cls(np.empty((1_024, width)), np.empty(1_024, dtype=np.bool_))

    def put(self, key: Any, numbers: FloatArray, covered: bool) -> int:
        """Keep one more; return its row."""
        row = self.rows[key] = len(self.rows)
        if row == len(self.numbers):
            self.numbers = np.concatenate([self.numbers, np.empty_like(self.numbers)])
            self.covered = np.concatenate([self.covered, np.empty_like(self.covered)])
        self.numbers[row], self.covered[row] = numbers, covered
        return row


@dataclass(frozen=True, eq=False)
class EvidenceInBulk:
    """Evaluates one evidence term for many batches; what was worked out is kept from batch to batch.

    Attributes
    ----------
    term
        The evidence term that is served.
    """

    term: EvidenceLike
    _without: dict[Profile, Mapping[str, float]] = field(default_factory=dict, repr=False)
    _standing: dict[str, Profile] = field(default_factory=dict, repr=False)

    def evaluate(self, batch: Batch) -> Any:
        """Return what ``term.evaluate(batch)`` returns."""
        term = self.term
        if not isinstance(term, EvidenceTerm) or term.family != "checkpoint" or not batch.n:
            return term.evaluate(batch)
        shares = self._shares
        if len(shares.rows) > MOST_KEPT:
            shares.rows.clear()
            self._without.clear()
        settings, of_case = _settings(batch)
        sets, of_findings = gene_sets(batch)
        cores = [self._setting(one._replace(**NO_MARKERS)) for one in settings]
        places = [self._place(one, bool(shares.covered[row])) for one, row in zip(settings, cores, strict=True)]
        pairs = zip(places, settings, strict=True)
        markers = [self._added(place, mmr=one.mmr, tmb=one.tmb, pdl1=one.pdl1) for place, one in pairs]
        groups = {place: group for group, place in enumerate(dict.fromkeys(places))}
        group = np.array([groups[place] for place in places], dtype=np.int64)[of_case]
        found, of_pair = np.unique(group * len(sets) + of_findings, return_inverse=True)
        bare = list(groups)
        genes = [self._added(bare[one // len(sets)], findings=sets[one % len(sets)]) for one in found.tolist()]
        return self._values(term, np.array(cores), np.array(markers), of_case, np.array(genes)[of_pair])

    def nearest_arms(self, batch: Batch, row: int, k: int = 5) -> list[dict[str, Any]]:
        """Return the arms that the evidence of one case leans on."""
        return self.term.nearest_arms(batch, row, k)

    def to_json(self) -> dict[str, Any]:
        """Return the stored form of the term."""
        return self.term.to_json()

    def _values(
        self, term: EvidenceTerm, core: IntArray, markers: IntArray, of_case: IntArray, genes: IntArray
    ) -> EvidenceValues:
        shares = self._shares.numbers
        both = (shares[core] + shares[markers])[of_case]
        both += shares[genes]
        k = len(term.pools)
        parts, whitened = np.ascontiguousarray(both[:, :k]), both[:, k + 1 :]
        return EvidenceValues(
            log_odds=parts.sum(axis=1),
            variance=np.maximum(0.0, both[:, k] - np.einsum("ij,ij->i", whitened, whitened)),
            names=term.pools,
            parts=parts,
            covered=self._shares.covered[core][of_case],
            between_trial_variance=term.between_trial_variance,
        )

    @cached_property
    def _shares(self) -> Shares:
        return Shares.of_width(len(self._pool) + 1 + self._whitened.shape[1])

    def _place(self, profile: Profile, covered: bool) -> Profile:
        """Return what the terms of findings depend on beside the findings: the histology, and whether arms speak.

        Every checkpoint regimen that arms speak to adds the same terms for a gene; the first one seen stands for all.
        """
        bare = profile._replace(mmr=None, tmb=None, pdl1=None, line=None, prior=None)
        if not covered or family_of(profile) != "checkpoint":
            return bare
        return self._standing.setdefault(profile.histology, bare)

    def _setting(self, profile: Profile) -> int:
        known = self._shares.rows.get(profile)
        if known is not None:
            return known
        terms, covered = self._spoken_to(profile)
        return self._shares.put(profile, self._numbers(terms), covered)

    def _added(self, place: Profile, **more: Any) -> int:
        """Return the row of what more is known adds to a place: its biomarkers, or its findings."""
        key = (place, *more.items())
        known = self._shares.rows.get(key)
        if known is not None:
            return known
        without = self._without.get(place)
        if without is None:
            without = self._without[place] = self._spoken_to(place)[0]
        whole, covered = self._spoken_to(place._replace(**more))
        return self._shares.put(key, self._numbers({n: v for n, v in whole.items() if n not in without}), covered)

    def _spoken_to(self, profile: Profile) -> tuple[Mapping[str, float], bool]:
        assert isinstance(self.term, EvidenceTerm)  # noqa: S101  # evaluate has asked
        return self.term.spoken_to(profile)

    @cached_property
    def _whitened(self) -> FloatArray:
        """Whitened covariance of each coefficient with the arms, shape (p, arms)."""
        fitted = self.term.fitted  # type: ignore[attr-defined]  # an EvidenceTerm, see evaluate
        return np.asarray(fitted.covariance @ fitted.whitening.T, dtype=np.float64)

    def _numbers(self, terms: Mapping[str, float]) -> FloatArray:
        """Return log-odds by pool, prior variance and whitened covariance of some terms, one after another."""
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
        return np.concatenate([parts, [prior], found @ self._whitened[places]])

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
