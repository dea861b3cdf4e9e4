"""Against the truth that synthetic cases were drawn with: error, coverage, width, and what masking does.

The counted bars (issue 4) are at 20,000 training cases (``make soak``). A tenth of that runs in every test run, with
bars of its own: what the model reached there, and some room. Cohorts that are judged are other sites (``external``), of
seeds on which nothing was chosen (that was done on 101 to 105). Coverage is a mean over training cohorts: a single one
of 2,000 cases may be as far off as 0.86 (checkpoint, realistic, seed 201) and as 0.98.

How much wider rare histologies are is judged like with like: the same cases of the same histology, by a model that
knows hundreds of them and by one that was shown 20. Between *different* histologies the width in probability says more
of their response rates than of what is known of them: near 0 the same doubt on the log-odds is a narrow interval.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from features.sources.published_arms import arms
from features.sources.synthetic import draw
from features.table import FeatureTable
from models.evidence import EvidenceTerm
from models.response_fit import fit_response
from models.settings import BoostedSettings, LinearSettings, ResponseSettings

if TYPE_CHECKING:
    from features.cohort import Cohort
    from models.response import Answers, ResponseModel

SETTINGS = ResponseSettings(linear=LinearSettings(prior="selected"), boosted=BoostedSettings(on=False))
"""Of ``experiments/*_synthetic.yaml``. The boosted term does not earn its place on these cohorts: bends are hinges,
settings are nested levels."""

SEED = 201
SEEDS = (201, 203, 205)
SMALL, WHOLE, JUDGED = 2_000, 20_000, 2_000
FEW, MANY = 30, 200
"""Training cases of a histology below which it is rare, and above which it is common."""

BURDENS = ("tmb.mut_per_mb", "tmb.exome_nonsynonymous_count", "tmb.blood_count")
"""They measure one thing: while one is known, no other is missed, so they are masked together."""

KINDS = [(family, missingness) for family in ("checkpoint", "targeted") for missingness in ("none", "realistic")]


@dataclass(frozen=True)
class Judged:
    """A model fitted on development sites and its answers for other sites, beside the truth."""

    model: ResponseModel
    answers: Answers
    truth: Any

    @property
    def error(self) -> float:
        return float(np.abs(self.answers.scores.probability - self.truth).mean())

    @property
    def covered(self) -> Any:
        return (self.answers.scores.low <= self.truth) & (self.truth <= self.answers.scores.high)

    @property
    def sd(self) -> Any:
        return self.answers.scores.sd

    @property
    def cases(self) -> Any:
        of_lineage = self.answers.inputs.histology_cases
        assert of_lineage is not None
        return of_lineage[:, 0]


@cache
def _evidence(family: Any) -> EvidenceTerm:
    return EvidenceTerm.fit([arm for arm in arms() if arm.family == family])


def _fitted(family: Any, training: Cohort) -> ResponseModel:
    batch = training.batch()
    return fit_response(
        batch,
        training.response,
        training.patient_ids,
        table=FeatureTable.for_family(family).fit(batch),
        evidence=_evidence(family),
        settings=SETTINGS,
        card={"name": f"{family}-response", "endpoint": "orr", "synthetic": True},
    ).model


@cache
def judged(family: Any, missingness: Any, n: int, seed: int = SEED) -> Judged:
    fresh = draw(family, JUDGED, seed + 1, cohort="external", missingness=missingness)
    model = _fitted(family, draw(family, n, seed, missingness=missingness))
    assert fresh.truth is not None
    return Judged(model, model.answers(fresh.batch()), fresh.truth.column("probability").to_numpy())


def report(name: str, one: Judged) -> None:
    scores, rare, common = one.answers.scores, one.cases < FEW, one.cases > MANY
    width = scores.high - scores.low
    print(
        f"\n{name}: error {one.error:.4f}, covered {one.covered.mean():.3f}, answered {one.answers.answered.mean():.3f}"
        f", median width {np.median(width):.3f}"
    )
    if rare.any() and common.any():
        print(
            f"  rare histologies ({rare.sum()} cases) covered {one.covered[rare].mean():.3f}; rare to common: "
            f"width {np.median(width[rare]) / np.median(width[common]):.2f}, "
            f"log-odds {np.median(scores.sd[rare]) / np.median(scores.sd[common]):.2f}"
        )


@pytest.mark.parametrize(("family", "missingness"), KINDS)
def test_error_and_coverage_at_a_tenth(family: Any, missingness: Any) -> None:
    found = [judged(family, missingness, SMALL, seed) for seed in SEEDS]
    for one in found:
        report(f"{family}, {missingness}, {SMALL}", one)
        assert one.error <= {"none": 0.10, "realistic": 0.13}[missingness]  # seen: up to 0.090 and 0.115
        assert one.covered.mean() >= 0.85
        assert one.answers.answered.mean() >= 0.85
    assert 0.90 <= np.mean([one.covered.mean() for one in found]) <= 0.98
    rare = np.concatenate([one.covered[one.cases < FEW] for one in found])
    assert len(rare) > 200
    assert rare.mean() >= 0.85


@pytest.mark.parametrize(("family", "missingness"), KINDS)
def test_masking_an_input_does_not_narrow_the_interval_on_average(family: Any, missingness: Any) -> None:
    """Each number that any case has, prior lines among them."""
    model = judged(family, missingness, SMALL).model
    batch = draw(family, 500, SEED + 1, cohort="external", missingness=missingness).batch()
    sd = model.answers(batch).scores.sd.mean()
    known = {path for path, values in batch.numbers.items() if not np.isnan(values).all()}
    inputs = [(path,) for path in sorted(known.difference(BURDENS))] + [BURDENS]
    assert len(inputs) > 12
    for paths in inputs:
        masked = {**batch.numbers, **dict.fromkeys(paths, np.full(batch.n, np.nan))}
        assert model.answers(replace(batch, numbers=masked)).scores.sd.mean() >= sd - 1e-12, paths


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_rare_histologies_have_wider_intervals(family: Any) -> None:
    """Between different histologies, on the log-odds; see the head of this file."""
    found = [judged(family, "none", SMALL, seed) for seed in SEEDS]
    ratios = [np.median(one.sd[one.cases < FEW]) / np.median(one.sd[one.cases > MANY]) for one in found]
    assert np.mean(ratios) >= 1.3  # seen: 1.44 and 1.45


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_a_histology_that_is_made_rare_has_half_as_wide_intervals_again(family: Any) -> None:
    """The most common histology; under ``make soak`` the two most common."""
    whole = draw(family, 4_000, SEED, missingness="none")
    fresh = draw(family, JUDGED, SEED + 1, cohort="external", missingness="none")
    histology, asked = _histologies(whole), _histologies(fresh)
    names, counts = np.unique(histology, return_counts=True)
    common = names[np.argsort(-counts, kind="stable")][: 2 if os.environ.get("ORP_SOAK") else 1]
    assert (np.sort(counts)[-2:] > MANY).all()
    widths = _width(_fitted(family, whole).answers(fresh.batch()))
    ratios = []
    for name in common:
        rows = np.flatnonzero(histology == name)
        thinned = whole.take(np.sort(np.append(np.flatnonzero(histology != name), rows[: FEW - 10])))
        rare = _width(_fitted(family, thinned).answers(fresh.batch()))
        ratios.append(np.median(rare[asked == name]) / np.median(widths[asked == name]))
    print(f"\n{family}: {dict(zip(common.tolist(), np.round(ratios, 2).tolist(), strict=True))}")
    assert np.mean(ratios) >= 1.5


def _histologies(cohort: Cohort) -> Any:
    return np.array(cohort.batch().texts["histology"].texts(), dtype=np.str_)


def _width(answers: Answers) -> Any:
    return answers.scores.high - answers.scores.low


BARS = {"none": 0.04, "realistic": 0.07}
"""Mean absolute error to the true probability with 20,000 training cases (issue 4)."""

MISSED = pytest.mark.xfail(
    reason="targeted reaches 0.043 on complete cases; the generator's own structure reaches 0.03",
    strict=True,
)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("family", "missingness"),
    [pytest.param(*kind, marks=[MISSED] if kind == ("targeted", "none") else []) for kind in KINDS],
)
def test_error_at_the_whole_size(family: Any, missingness: Any) -> None:
    assert judged(family, missingness, WHOLE).error <= BARS[missingness]


@pytest.mark.soak
@pytest.mark.parametrize(("family", "missingness"), KINDS)
def test_coverage_at_the_whole_size(family: Any, missingness: Any) -> None:
    one = judged(family, missingness, WHOLE)
    report(f"{family}, {missingness}, {WHOLE}", one)
    assert 0.90 <= one.covered.mean() <= 0.98
