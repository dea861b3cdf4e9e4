"""The evidence of many cases at once: what a setting, its biomarkers and its findings say, each worked out once.

Under a checkpoint inhibitor the terms of a case are those of its setting (histology, regimen, line, prior therapy),
those that its biomarkers add in its histology, and those that its altered genes add there; no term belongs to two of
them. Each of the three is few, what they make together is many: log-odds, parts and the whitened covariance are sums
of three, so each share is worked out once. Equal to :meth:`models.evidence.EvidenceTerm.evaluate` to rounding (tests);
the targeted family, whose match binds regimen and findings together, is evaluated as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from features.evidence_profile import as_seen
from features.evidence_settings import settings_of
from features.evidence_terms import family_of, terms_of
from features.regimens import regimen
from models.evidence import EvidenceTerm, EvidenceValues
from models.evidence_design import pool_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.batch import Batch, IntArray
    from features.evidence_profile import Finding, Profile
    from models.inputs import BoolArray, FloatArray
    from models.response import EvidenceLike

CHUNK = 512
"""Cases whose shares are added at a time: they stay in the cache of a core."""

MOST_KEPT = 14_000
"""Shares whose numbers are kept, about 1.5 kB each; beyond that only those that the last batch asked for stay."""


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

    def forget(self, but: IntArray) -> None:
        """Keep only some of the rows: what a run has met once in a million cases must not add up over hours."""
        stay = np.unique(but)
        places = dict(zip(stay.tolist(), range(len(stay)), strict=True))
        self.numbers[: len(stay)], self.covered[: len(stay)] = self.numbers[stay], self.covered[stay]
        self.rows = {key: places[row] for key, row in self.rows.items() if row in places}


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
    _worked_out: dict[tuple[Any, ...], FloatArray] = field(default_factory=dict, repr=False)
    _asked: list[IntArray] = field(default_factory=list, repr=False)

    def evaluate(self, batch: Batch) -> Any:
        """Return what ``term.evaluate(batch)`` returns."""
        term = self.term
        if not isinstance(term, EvidenceTerm) or term.family != "checkpoint" or not batch.n:
            return term.evaluate(batch)
        self._forget_some()
        shares = self._shares
        settings = settings_of(batch, _reduced_prior)
        sets, of_findings = gene_sets(batch)
        cores = np.array([self._setting(one) for one in settings.places])
        places = [self._place(one, bool(shares.covered[row])) for one, row in zip(settings.places, cores, strict=True)]
        groups = {place: group for group, place in enumerate(dict.fromkeys(places))}
        bare, core = list(groups), cores[settings.of_place]
        group = np.array([groups[place] for place in places], dtype=np.int64)[settings.of_place]
        marked = [one._asdict() for one in settings.markers]
        markers, of_marked = self._of_pairs(bare, group, settings.of_markers, marked)
        genes, of_found = self._of_pairs(bare, group, of_findings, [{"findings": one} for one in sets])
        self._asked[:] = [cores, markers, genes]
        return self._values(term, core, markers[of_marked], genes[of_found])

    def _forget_some(self) -> None:
        if len(self._shares.rows) > MOST_KEPT:
            self._shares.forget(np.concatenate(self._asked))
            self._worked_out.clear()
            terms_of.cache_clear()

    def _of_pairs(
        self, places: list[Profile], group: IntArray, of_more: IntArray, more: list[dict[str, Any]]
    ) -> tuple[IntArray, IntArray]:
        """Return the rows of what is added, a row for each pair that occurs, and each case's own among them."""
        found, where = np.unique(group * len(more) + of_more, return_inverse=True)
        pairs = (divmod(one, len(more)) for one in found.tolist())
        return np.array([self._added(places[place], **more[k]) for place, k in pairs], dtype=np.int64), where

    def nearest_arms(self, batch: Batch, row: int, k: int = 5) -> list[dict[str, Any]]:
        """Return the arms that the evidence of one case leans on."""
        return self.term.nearest_arms(batch, row, k)

    def to_json(self) -> dict[str, Any]:
        """Return the stored form of the term."""
        return self.term.to_json()

    def _values(self, term: EvidenceTerm, core: IntArray, markers: IntArray, genes: IntArray) -> EvidenceValues:
        shares, k, n = self._shares.numbers, len(term.pools), len(core)
        parts, variance = np.empty((n, k)), np.empty(n)
        for start in range(0, n, CHUNK):
            here = slice(start, start + CHUNK)
            whole = shares[core[here]]
            whole += shares[markers[here]]
            whole += shares[genes[here]]
            whitened = whole[:, k + 1 :]
            parts[here] = whole[:, :k]
            variance[here] = whole[:, k] - np.einsum("ij,ij->i", whitened, whitened)
        return EvidenceValues(
            log_odds=parts.sum(axis=1),
            variance=np.maximum(0.0, variance),
            names=term.pools,
            parts=parts,
            covered=self._shares.covered[core],
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
        key = tuple(terms.items())
        known = self._worked_out.get(key)
        if known is None:
            known = self._worked_out[key] = self._summed(terms)
        return known

    def _summed(self, terms: Mapping[str, float]) -> FloatArray:
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
    width = packed.shape[1]
    if not width:
        return [frozenset()], np.zeros(batch.n, dtype=np.int64)
    whole = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), batch.n, [None, pa.py_buffer(packed)])
    encoded = whole.dictionary_encode()  # by hash: no sorting
    where = np.asarray(encoded.indices.to_numpy(), dtype=np.int64)
    first = np.empty(len(encoded.dictionary), dtype=np.int64)
    first[where[::-1]] = np.arange(batch.n)[::-1]
    findings = [one for _, one in of_gene.values()]
    return [frozenset(findings[g] for g in np.flatnonzero(seen[row]).tolist()) for row in first.tolist()], where
