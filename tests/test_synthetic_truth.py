"""Against the truth that synthetic cases were drawn with: error, coverage, width, and what masking does.

The counted bars (issue 4) are at 20,000 training cases (``make soak``). A tenth of that runs in every test run, with
bars of its own: what the model reached there, and some room. Cohorts that are judged are other sites (``external``), and
of seeds on which nothing was chosen.
"""

from __future__ import annotations

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
from models.settings import BoostedSettings, ResponseSettings

if TYPE_CHECKING:
    from models.response import Answers, ResponseModel

SETTINGS = ResponseSettings(boosted=BoostedSettings(on=False))
"""The boosted term does not earn its place on these cohorts: bends are hinges, settings are nested levels."""

SEED = 201
SMALL, WHOLE, JUDGED = 2_000, 20_000, 3_000
FEW, MANY = 30, 200
"""Training cases of a histology below which it is rare, and above which it is common."""

NUMBERS = ("patient.albumin_g_per_dl", "patient.nlr", "patient.ecog", "patient.ldh_ratio_to_upper_limit")

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
    def cases(self) -> Any:
        return self.answers.inputs.histology_cases


@cache
def _evidence(family: str) -> EvidenceTerm:
    return EvidenceTerm.fit([arm for arm in arms() if arm.family == family])


@cache
def judged(family: Any, missingness: Any, n: int) -> Judged:
    training = draw(family, n, SEED, missingness=missingness)
    fresh = draw(family, JUDGED, SEED + 1, cohort="external", missingness=missingness)
    batch = training.batch()
    model = fit_response(
        batch,
        training.response,
        training.patient_ids,
        table=FeatureTable.for_family(family).fit(batch),
        evidence=_evidence(family),
        settings=SETTINGS,
        card={"name": f"{family}-response", "endpoint": "orr", "synthetic": True},
    ).model
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
def test_error_and_coverage_at_a_tenth(family: str, missingness: str) -> None:
    one = judged(family, missingness, SMALL)
    report(f"{family}, {missingness}, {SMALL}", one)
    assert one.error <= {"none": 0.09, "realistic": 0.12}[missingness]
    assert 0.88 <= one.covered.mean() <= 0.985
    rare = one.cases < FEW
    assert rare.sum() > 100
    assert one.covered[rare].mean() >= 0.85
    assert one.answers.answered.mean() >= 0.85


@pytest.mark.parametrize(("family", "missingness"), KINDS)
def test_masking_an_input_does_not_narrow_the_interval_on_average(family: str, missingness: str) -> None:
    one = judged(family, missingness, SMALL)
    batch = one.answers.batch
    for path in NUMBERS:
        masked = replace(batch, numbers={**batch.numbers, path: np.full(batch.n, np.nan)})
        assert one.model.answers(masked).scores.sd.mean() >= one.answers.scores.sd.mean(), path


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_rare_histologies_have_wider_intervals(family: str) -> None:
    """On the log-odds: rare tumours of these cohorts respond rarely, and near 0 the same doubt is a narrower width."""
    one = judged(family, "none", SMALL)
    sd = one.answers.scores.sd
    assert np.median(sd[one.cases < FEW]) >= 1.2 * np.median(sd[one.cases > MANY])


@pytest.mark.soak
@pytest.mark.parametrize(("family", "missingness"), KINDS)
def test_error_and_coverage_at_the_whole_size(family: str, missingness: str) -> None:
    one = judged(family, missingness, WHOLE)
    report(f"{family}, {missingness}, {WHOLE}", one)
    assert one.error <= {"none": 0.04, "realistic": 0.07}[missingness] + (0.005 if family == "targeted" else 0.0)
    assert 0.90 <= one.covered.mean() <= 0.98
