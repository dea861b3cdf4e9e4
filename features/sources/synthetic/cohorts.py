"""Drawing a synthetic cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.cohort import Cohort
from features.errors import CohortRefusal, seen_text
from features.provenance import Provenance
from features.sources.synthetic import tables
from features.sources.synthetic.base_rates import offsets
from features.sources.synthetic.blocks import complete
from features.sources.synthetic.draft import BLOCK, COHORTS, FAMILIES
from features.sources.synthetic.evidence_parts import evidence_parts
from features.sources.synthetic.findings import findings, recorded_findings
from features.sources.synthetic.masking import everything, realistic
from features.sources.synthetic.outcomes import outcomes
from features.sources.synthetic.truth import INTERCEPT, terms

if TYPE_CHECKING:
    from pathlib import Path

    from features.sources.synthetic.draft import CohortName, Family, Missingness

MISSINGNESS = ("realistic", "none")


class SyntheticRequest(CohortRefusal):
    """A synthetic cohort that cannot be drawn as asked."""

    code = "synthetic_request"


def draw(
    family: Family,
    n: int,
    seed: int,
    *,
    cohort: CohortName = "development",
    missingness: Missingness = "realistic",
    start: int = 0,
) -> Cohort:
    """Draw synthetic cases with outcomes and truths.

    The cases of a seed are one endless stream in a fixed order: ``draw(f, 100, s)`` is the beginning of
    ``draw(f, 5_000, s)``, and ``start`` draws a partition of it. Same arguments, same bytes (numpy PCG64, on one
    machine type). Memory is a few kB a case; draw millions in partitions.

    Parameters
    ----------
    family
        ``checkpoint`` or ``targeted``.
    n
        Cases, 1 or more.
    seed
        0 or more. Cohorts and families of one seed are independent.
    cohort
        ``development``, or ``external``: other sites, older and more pretreated patients, more blood tests,
        another mix of histologies; the same truth.
    missingness
        ``realistic`` (at random given site, year, assay, histology) or ``none``: every field of the complete case.
        Truths and outcomes are the same.
    start
        Place in the stream of the first case.

    Raises
    ------
    SyntheticRequest
        Unknown family, cohort or missingness; n under 1; seed or start under 0.

    Examples
    --------
    >>> cohort = draw("checkpoint", 5, seed=1)
    >>> len(cohort), cohort.provenance.synthetic, cohort.truth.num_rows
    (5, True, 5)
    """
    _check("family", family, FAMILIES)
    _check("cohort", cohort, COHORTS)
    _check("missingness", missingness, MISSINGNESS)
    for name, value, least in (("n", n, 1), ("seed", seed, 0), ("start", start, 0)):
        if value < least:
            raise SyntheticRequest(f"{value} is under {least}", field=name)
    blocks = range(start // BLOCK, (start + n - 1) // BLOCK + 1)
    parts = [_block_tables(family, cohort, missingness, seed, block, start, start + n) for block in blocks]
    whole = {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}
    nobody = pa.table({"case_id": pa.array([], type=pa.string())})
    return Cohort(**whole, specimens=nobody, provenance=_provenance(family, cohort, missingness, seed))


def write(
    family: Family,
    n: int,
    seed: int,
    out: str | Path,
    *,
    cohort: CohortName = "development",
    missingness: Missingness = "realistic",
) -> Path:
    """Draw a cohort and write its folder; see :func:`draw`."""
    return draw(family, n, seed, cohort=cohort, missingness=missingness).save(out)


def _block_tables(
    family: Family, cohort: CohortName, missingness: Missingness, seed: int, block: int, start: int, end: int
) -> dict[str, pa.Table]:
    """Draw one block and return the rows of it that are asked for."""
    draft = complete(family, cohort, seed, block)
    groups = terms(draft, offsets(family))
    response, best = outcomes(draft, INTERCEPT + np.sum(list(groups.values()), axis=0), seed, block)
    recorded = everything(draft.n) if missingness == "none" else realistic(draft, seed, block)
    ids = tables.case_ids(draft, seed, block * BLOCK)
    found = findings(draft, seed, block)
    if missingness == "realistic":
        found = recorded_findings(draft, found, recorded, seed, block)
    first, last = max(start - block * BLOCK, 0), min(end - block * BLOCK, BLOCK)
    by_case = {
        "cases": tables.cases_table(draft, ids, recorded, missingness),
        "outcomes": tables.outcomes_table(ids, response, best),
        "truth": tables.truth_table(ids, groups, INTERCEPT, evidence_parts(draft)),
    }
    found = found.take((found.row >= first) & (found.row < last))
    recorded.priors[:first] = False
    recorded.priors[last:] = False
    return {
        **{name: table.slice(first, last - first) for name, table in by_case.items()},
        "alterations": tables.alterations_table(found, ids),
        "prior_therapies": tables.prior_table(draft, ids, recorded),
    }


def _provenance(family: Family, cohort: CohortName, missingness: Missingness, seed: int) -> Provenance:
    complete_name = "" if missingness == "realistic" else "-complete"
    return Provenance(
        cohort_id=f"synthetic-{family}-{cohort}-{seed}{complete_name}",
        title=f"SYNTHETIC {family} cases, {cohort} sites, seed {seed}",
        source="features.sources.synthetic: drawn from published figures; no patient is behind any case",
        licence="Apache-2.0",
        assay="MSK-IMPACT, FoundationOne, whole exome, blood",
        endpoint="orr",
        denominator="itt",
        synthetic=True,
        seed=seed,
    )


def _check(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SyntheticRequest(f"{seen_text(value)} is not known", field=field, allowed=allowed)
