"""The drawn response rates are those that were published, stratum by stratum (``golden/synthetic_rates.csv``)."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from features.sources.synthetic.base_rates import offsets
from features.sources.synthetic.blocks import complete
from features.sources.synthetic.regimens import cells, regimens
from features.sources.synthetic.tissues import figure, histologies, markers
from features.sources.synthetic.truth import INTERCEPT, terms

_TEXT = (Path(__file__).parent / "golden" / "synthetic_rates.csv").read_text(encoding="utf-8")
GOLDEN = list(csv.DictReader(_TEXT.splitlines()))
SEED = 4
BLOCKS = 30


@cache
def _drawn(family):
    """Return per case: probability, and what strata are made of."""
    names = ("p", "histology", "cell", "lines", "regimen", "tmb", "deficient", "before", "carries")
    parts = []
    for block in range(BLOCKS):
        draft = complete(family, "development", SEED, block)
        numbers = draft.numbers
        p = expit(INTERCEPT + np.sum(list(terms(draft, offsets(family)).values()), axis=0))
        before = numbers["prior_pd1"] + numbers["prior_ctla4"] if family == "checkpoint" else np.zeros(draft.n)
        columns = (p, draft.histology, numbers["cell"], numbers["prior_lines"], draft.regimen)
        parts.append((*columns, numbers["tmb.mut_per_mb"], numbers["deficient"], before, draft.carries))
    return dict(zip(names, (np.concatenate(part) for part in zip(*parts, strict=True)), strict=True))


def _condition(family, found, text):
    kind, _, rest = text.partition(" ")
    known, keys = regimens(family), [cell.key for cell in cells(family)]
    at_least = float(rest.split()[-1].rstrip("+")) if rest and rest.split()[-1].rstrip("+").isdigit() else 0
    tests = {
        "histology": lambda: np.isin(
            found["histology"], [histologies().at(c) for c in rest.removeprefix("in ").split("|")]
        ),
        "therapy": lambda: found["regimen"] == known.keys.index(rest),
        "class": lambda: np.array(known.classes)[found["regimen"]] == rest,
        "scenario": lambda: found["cell"] == keys.index(rest),
        "unmatched": lambda: found["cell"] >= len(figure("base_rates_targeted")),
        "prior_lines": lambda: found["lines"] >= at_least if rest.endswith("+") else found["lines"] == at_least,
        "tmb": lambda: found["tmb"] < at_least if rest.startswith("under") else found["tmb"] >= at_least,
        "pMMR": lambda: found["deficient"] == 0,
        "dMMR": lambda: found["deficient"] == 1,
        "naive": lambda: found["before"] == 0,
        "carries": lambda: found["carries"][:, markers().places(rest)].any(axis=1),
        "lacks": lambda: ~found["carries"][:, markers().places(rest)].any(axis=1),
    }
    return tests[kind]()


@pytest.mark.parametrize("row", GOLDEN, ids=[row["case"] for row in GOLDEN])
def test_rate_is_near_the_published_one(row):
    found = _drawn(row["family"])
    stratum = np.ones(len(found["p"]), dtype=bool)
    for text in row["input"].split("; "):
        stratum &= _condition(row["family"], found, text)
    assert stratum.sum() >= 30
    assert found["p"][stratum].mean() == pytest.approx(float(row["expected"]), abs=float(row["tolerance"]))


def test_vemurafenib_falls_from_melanoma_over_lung_to_colorectal():
    rates = [offsets("targeted")[key] for key in ("MEL_VEMURAFENIB", "BRAF_LUNG_VEMURAFENIB", "CRC_VEMURAFENIB")]
    assert rates[0] > rates[1] > rates[2]


def test_later_lines_respond_less():
    for family in ("checkpoint", "targeted"):
        found = _drawn(family)
        means = [found["p"][found["lines"] == line].mean() for line in (0, 1, 3)]
        assert means[0] > means[1] > means[2]


def test_middle_ages_respond_most():
    found = complete("checkpoint", "development", SEED, 0)
    patient = terms(found, offsets("checkpoint"))["patient"]
    age = found.numbers["patient.age_years"]
    assert patient[(age > 58) & (age < 70)].mean() > max(patient[age < 45].mean(), patient[age > 80].mean())


def test_a_burden_counts_double_above_a_cut_that_differs_by_tissue():
    draft = complete("checkpoint", "development", SEED, 0)
    for values in draft.numbers.values():
        values[:] = values[0]
    draft.carries[:] = False
    draft.histology[:2], draft.histology[2:4] = histologies().at("COAD"), histologies().at("CESC")
    draft.numbers["tmb.mut_per_mb"][:4] = (9.9, 10.1, 9.9, 10.1)
    tmb = terms(draft, offsets("checkpoint"))["tmb"]
    assert tmb[3] - tmb[2] > 1.0
    assert tmb[1] - tmb[0] < 0.05


def test_kras_with_stk11_lowers_response_in_lung_only():
    draft = complete("checkpoint", "development", SEED, 0)
    draft.carries[:] = False
    draft.histology[:4] = [histologies().at(code) for code in ("LUAD", "LUAD", "COAD", "COAD")]
    both = [markers().at("KRAS_G12C"), markers().at("STK11_LOSS")]
    draft.carries[np.ix_([0, 2], both)] = True
    for row in (1, 3):
        draft.carries[row, both[0]] = True
    alterations = terms(draft, offsets("checkpoint"))["alterations"]
    assert alterations[0] - alterations[1] < -1.4
    assert alterations[2] - alterations[3] == pytest.approx(-0.2)


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_stored_offsets_are_of_the_figures_as_they_stand(family):
    rates = {row["key"]: float(row["orr_percent"]) for row in figure("offsets") if row["family"] == family}
    assert {cell.key: round(100 * cell.orr, 1) for cell in cells(family)}.items() <= rates.items()


def test_every_source_of_a_figure_is_named():
    keys = {row["key"] for row in figure("sources")}
    for name in ("histologies", "tmb_cuts", "drivers", "lines", "resistance"):
        for row in figure(name):
            unknown = set(row["source"].split(";")) - keys
            assert not unknown, f"{name}: {unknown}"


def test_arms_named_behind_a_rate_exist_and_their_rate_is_the_figure():
    arms = {row["arm_id"]: row for row in _published()}
    for name in ("base_rates_checkpoint", "base_rates_targeted", "base_rates_mmr", "unmatched_regimens"):
        for row in figure(name):
            named = [arm for arm in row["arms"].split("|") if arm]
            assert set(named) <= set(arms), row
            if not named or row["source"] != "arms":
                continue
            rates = [float(arms[arm]["orr_pct"]) for arm in named]
            without_responders = 50 / (float(row["n"] or 40) + 1)  # 0 of n enters as half a responder of n + 1
            assert min(rates) - 2 <= float(row["orr_percent"]) <= max(*rates, without_responders) + 2, row


def _published():
    from features.vocabulary import table

    return table("published_arms")
