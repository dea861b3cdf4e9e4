"""Synthetic cohorts: same seed same bytes, truths that add up, outcomes that match them, honest gaps."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow.compute as pc
import pytest
from scipy.integrate import quad
from scipy.special import expit, logit

from features.case import read_case
from features.cohort import Cohort
from features.contract import GROUPS
from features.sources.synthetic import SyntheticRequest, draw, example_case, write
from features.sources.synthetic.draft import BLOCK
from features.sources.synthetic.evidence_parts import PARTS
from features.sources.synthetic.outcomes import PHI, bridge

FAMILIES = ("checkpoint", "targeted")


@cache
def _cohort(family, n=6000, cohort="development", missingness="realistic"):
    return draw(family, n, 11, cohort=cohort, missingness=missingness)


def _numbers(cohort, path):
    return cohort.batch().numbers[path]


@pytest.mark.parametrize("family", FAMILIES)
def test_same_seed_same_bytes(family, tmp_path):
    first, second = (write(family, 300, 5, tmp_path / name) for name in ("one", "two"))
    for path in sorted(first.iterdir()):
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name
    assert Cohort.load(first).content_hash == draw(family, 300, 5).content_hash


def test_another_seed_another_cohort():
    assert draw("checkpoint", 50, 1).content_hash != draw("checkpoint", 50, 2).content_hash


@pytest.mark.parametrize("family", FAMILIES)
def test_a_partition_is_the_same_cases_as_the_whole(family):
    whole = draw(family, BLOCK + 200, 3)
    part = draw(family, 150, 3, start=BLOCK - 50)
    expected = whole.take(np.arange(BLOCK - 50, BLOCK + 100))
    for name, table in part.tables.items():
        assert table.to_pylist() == expected.tables[name].to_pylist(), name


@pytest.mark.parametrize("family", FAMILIES)
def test_truth_is_a_sum_of_eight_groups(family):
    truth = _cohort(family).truth
    total = truth["intercept"].to_numpy() + sum(truth[group].to_numpy() for group in GROUPS)
    np.testing.assert_allclose(total, truth["log_odds"].to_numpy(), atol=1e-12)
    np.testing.assert_allclose(expit(total), truth["probability"].to_numpy(), atol=1e-12)
    parts = sum(truth[part].to_numpy() for part in PARTS)
    np.testing.assert_allclose(parts, truth["evidence"].to_numpy(), atol=1e-9)
    assert all(truth[group].to_numpy().std() > 0.01 for group in GROUPS)


def test_the_hidden_factor_averages_out_exactly():
    for log_odds in (-3.0, -0.4, 2.0):
        mean, _ = quad(lambda u, z=log_odds: float(expit(z / PHI + bridge(np.array([u]))[0])), 0, 1)
        assert mean == pytest.approx(expit(log_odds), abs=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
def test_outcomes_are_calibrated_to_the_truth(family):
    cohort = draw(family, 40_000, 12)
    probability, response = cohort.truth["probability"].to_numpy(), cohort.response
    error = np.sqrt((probability * (1 - probability)).sum()) / len(probability)
    assert abs(response.mean() - probability.mean()) < 4 * error
    slope, intercept, spread = _logistic(logit(probability), response)
    assert abs(slope - 1) < 4 * spread
    assert abs(intercept) < 0.1


def _logistic(z, response):
    """Fit intercept and slope by Newton's method; return slope, intercept, standard error of the slope."""
    design, beta = np.stack([np.ones_like(z), z], axis=1), np.zeros(2)
    for _ in range(25):
        p = expit(design @ beta)
        information = design.T @ (design * (p * (1 - p))[:, None])
        beta = beta + np.linalg.solve(information, design.T @ (response - p))
    return beta[1], beta[0], float(np.sqrt(np.linalg.inv(information)[1, 1]))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("missingness", ["realistic", "none"])
def test_every_drawn_case_is_a_valid_case(family, missingness):
    cohort = draw(family, 300, 21, missingness=missingness)
    for row in range(300):
        case = cohort.case(row)
        assert read_case(case.model_dump(by_alias=True)) == case


@pytest.mark.parametrize("family", FAMILIES)
def test_masking_changes_neither_cases_nor_truths_nor_outcomes(family):
    masked, complete = _cohort(family), _cohort(family, missingness="none")
    assert masked.truth.equals(complete.truth)
    assert masked.outcomes.equals(complete.outcomes)
    for path in ("patient.albumin_g_per_dl", "tmb.mut_per_mb", "prior_lines"):
        seen = ~np.isnan(_numbers(masked, path))
        assert 0.3 < seen.mean() < 1
        np.testing.assert_array_equal(_numbers(masked, path)[seen], _numbers(complete, path)[seen])
        assert not np.isnan(_numbers(complete, path)).any()
    assert masked.alterations.num_rows < complete.alterations.num_rows


def test_what_is_missing_depends_on_site_and_assay_and_not_on_the_outcome():
    cohort = _cohort("checkpoint", n=12_000)
    site = np.array([name.split("-")[2] for name in cohort.case_ids])
    unknown = np.isnan(_numbers(cohort, "patient.albumin_g_per_dl"))
    by_site = {name: unknown[site == name].mean() for name in np.unique(site)}
    assert max(by_site.values()) - min(by_site.values()) > 0.2
    one = site == "meadow"
    gap = unknown[one & (cohort.response == 1)].mean() - unknown[one & (cohort.response == 0)].mean()
    assert abs(gap) < 0.06
    panel = cohort.batch().texts["assay.panel"]
    exome = panel.codes == panel.levels.index("WES")
    assert np.isnan(_numbers(cohort, "tmb.mut_per_mb")[exome]).all()
    assert not np.isnan(_numbers(cohort, "tmb.exome_nonsynonymous_count")[exome]).any()


def test_marginals_are_near_their_figures():
    cohort = draw("checkpoint", 20_000, 31, missingness="none")
    batch = cohort.batch()
    histology, numbers = batch.texts["histology"], batch.numbers
    of = {code: histology.codes == place for place, code in enumerate(histology.levels)}
    lung, endometrium = of["LUAD"], of["UCEC"]
    tps = numbers["patient.pdl1_tps_percent"]
    assert (tps[lung] < 1).mean() == pytest.approx(0.48, abs=0.03)
    assert (tps[lung] >= 50).mean() == pytest.approx(0.22, abs=0.03)
    assert np.median(numbers["tmb.mut_per_mb"][of["SKCM"]]) == pytest.approx(12.8, abs=2)
    ngs = batch.texts["mmr.msi_ngs"]
    unstable = ngs.codes == ngs.levels.index("MSI-H")
    assert unstable[endometrium].mean() == pytest.approx(0.24, abs=0.05)
    assert unstable[lung].mean() < 0.02


def test_covariates_are_correlated_as_in_patients():
    numbers = draw("checkpoint", 20_000, 31, missingness="none").batch().numbers
    albumin, ldh = numbers["patient.albumin_g_per_dl"], numbers["patient.ldh_ratio_to_upper_limit"]
    assert np.corrcoef(albumin, np.log(numbers["patient.nlr"]))[0, 1] == pytest.approx(-0.38, abs=0.06)
    assert np.corrcoef(albumin, numbers["patient.ecog"])[0, 1] < -0.2
    assert np.corrcoef(albumin, np.log(ldh))[0, 1] < -0.15
    assert np.corrcoef(albumin, numbers["patient.hemoglobin_g_per_dl"])[0, 1] > 0.35


def test_resistance_follows_the_matched_inhibitor_only():
    cohort = _cohort("targeted", missingness="none")
    alterations, priors = cohort.alterations, cohort.prior_therapies
    resistant = set(alterations.filter(pc.equal(alterations["protein_change"], "p.T790M"))["case_id"].to_pylist())
    inhibitors = pc.match_substring_regex(priors["therapy"], "^(gefitinib|erlotinib|afatinib)$")
    exposed = set(priors.filter(inhibitors)["case_id"].to_pylist())
    assert len(resistant) > 50
    assert resistant <= exposed


def test_the_external_sites_see_other_patients():
    here, there = (
        _cohort("checkpoint", missingness="none"),
        _cohort("checkpoint", cohort="external", missingness="none"),
    )
    for path, more in (("patient.age_years", 1.5), ("prior_lines", 0.02)):
        assert _numbers(there, path).mean() > _numbers(here, path).mean() + more
    assert not set(here.case_ids) & set(there.case_ids)
    assert here.provenance.cohort_id != there.provenance.cohort_id


@pytest.mark.parametrize("family", FAMILIES)
def test_synthetic_is_said_everywhere(family):
    provenance = _cohort(family).provenance
    assert provenance.synthetic
    assert provenance.cohort_id.startswith("synthetic-")
    assert "SYNTHETIC" in provenance.title


@pytest.mark.parametrize("family", FAMILIES)
def test_example_cases_are_valid_and_rich(family):
    case = read_case(example_case(family))
    assert len(case.alterations or ()) >= 3
    assert case.patient is not None
    assert case.prior_therapies


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"family": "chemotherapy", "n": 5, "seed": 1},
            "family: 'chemotherapy' is not known. Allowed: checkpoint, targeted.",
        ),
        ({"family": "targeted", "n": 0, "seed": 1}, "n: 0 is under 1"),
        ({"family": "targeted", "n": 5, "seed": -1}, "seed: -1 is under 0"),
        ({"family": "targeted", "n": 5, "seed": 1, "cohort": "other"}, "cohort: 'other' is not known"),
        ({"family": "targeted", "n": 5, "seed": 1, "missingness": "some"}, "missingness: 'some' is not known"),
    ],
)
def test_requests_that_cannot_be_drawn_are_refused(arguments, words):
    with pytest.raises(SyntheticRequest) as refusal:
        draw(**arguments)
    assert words in str(refusal.value)
