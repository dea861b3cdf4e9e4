"""Table 1: who the cases are, one column per cohort; every line says of how many the value was known."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from features import histology
from models.pooling import exact_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.batch import Batch
    from training.figures_cases import AnsweredCases

NUMBERS = (
    ("patient.age_years", "age, years"),
    ("tmb.mut_per_mb", "TMB, mut/Mb"),
    ("prior_lines", "prior lines"),
    ("patient.ecog", "ECOG"),
    ("patient.albumin_g_per_dl", "albumin, g/dL"),
    ("patient.nlr", "neutrophils / lymphocytes"),
    ("patient.pdl1_tps_percent", "PD-L1 TPS, %"),
)
"""Fields given as median (quartiles)."""

LEVELS = (
    ("patient.sex", "female", ("female",)),
    ("mmr.msi_pcr", "MSI-high by PCR", ("MSI-H",)),
    ("mmr.msi_ngs", "MSI-high by sequencing", ("MSI-H",)),
    ("mmr.ihc", "mismatch-repair deficient by IHC", ("deficient",)),
    ("stage", "stage IV", ("IV",)),
)
"""Fields given as cases of those known."""

MOST_TUMOURS, MOST_THERAPIES = 6, 5
"""Named per cohort, the most frequent first; the others are one line."""

Line = tuple[str, list[str]]


def table_one(cases: Sequence[AnsweredCases]) -> list[Line]:
    """Return the lines of table 1: a label and one cell per cohort; a heading has empty cells."""
    if not cases:
        return []
    batches = [one.answers.batch for one in cases]
    lines: list[Line] = [("cases", [str(batch.n) for batch in batches])]
    lines.append(("responders", [_responders(one) for one in cases]))
    lines += [(title, [_number(batch, path) for batch in batches]) for path, title in NUMBERS]
    lines += [(title, [_level(batch, path, levels) for batch in batches]) for path, title, levels in LEVELS]
    tumours = [Counter(_tumours(batch)) for batch in batches]
    therapies = [Counter(text or "unknown" for text in batch.texts["therapy"].texts()) for batch in batches]
    lines += _counted("tumour", tumours, MOST_TUMOURS)
    lines += _counted("therapy", therapies, MOST_THERAPIES)
    return [line for line in lines if any(cell != "unknown" for cell in line[1])]


def _responders(one: AnsweredCases) -> str:
    events, n = int(one.outcome.sum()), len(one.outcome)
    if not n:
        return "unknown"
    span = exact_interval(events, n)
    return f"{events} ({events / n:.0%}, 95% {span.low:.0%} to {span.high:.0%})"


def _number(batch: Batch, path: str) -> str:
    values = batch.numbers[path]
    known = values[~np.isnan(values)]
    if not len(known):
        return "unknown"
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g}), n {len(known)}"


def _level(batch: Batch, path: str, levels: tuple[str, ...]) -> str:
    texts = [text for text in batch.texts[path].texts() if text is not None]
    if not texts:
        return "unknown"
    n = sum(text in levels for text in texts)
    return f"{n} of {len(texts)} ({n / len(texts):.0%})"


def _tumours(batch: Batch) -> list[str]:
    """Return each case's tumour: the histology below its tissue, so that LUAD and LUSC are both lung cancers."""
    names = {code: _tumour(code) for code in set(batch.texts["histology"].texts()) if code}
    return [names.get(code or "", "unknown") for code in batch.texts["histology"].texts()]


def _tumour(code: str) -> str:
    lineage = histology.lineage(code)
    return histology.row(lineage[-2] if len(lineage) > 1 else lineage[-1]).name


def _counted(heading: str, found: Sequence[Counter[str]], most: int) -> list[Line]:
    together: Counter[str] = Counter()
    for counts in found:
        together.update(counts)
    shown = [name for name, _ in sorted(together.items(), key=lambda one: (-one[1], one[0]))[:most]]
    lines = [(f"{heading}: {name}", [_share(counts[name], counts) for counts in found]) for name in shown]
    others = [_share(sum(n for name, n in counts.items() if name not in shown), counts) for counts in found]
    return [*lines, (f"{heading}: others", others)] if len(together) > most else lines


def _share(n: int, counts: Counter[str]) -> str:
    return f"{n} ({n / max(1, sum(counts.values())):.0%})"
