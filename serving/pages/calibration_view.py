"""Calibration as outcomes arrive: over all, over time, by tissue and site; abstentions; decisions overridden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.pages.calibration_figures import FEWEST, Calibrated, calibrated, reliability_bins
from serving.pages.case_view import histology_name
from serving.pages.contribution_cube import month_name
from serving.pages.figures import Figure
from serving.pages.log_columns import DECISIONS, STATUSES, UNKNOWN, LogColumns
from serving.pages.number_text import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.intp]
    Split = list[tuple[str, Rows]]

MATURE = 0.5
"""Share of a month's predictions that need an outcome before the month is called complete enough to judge."""

_VALUES = (
    ("n", "outcomes"),
    ("share", "of predictions"),
    ("predicted#", "mean probability"),
    ("observed#", "responded"),
    ("citl#", "CITL"),
    ("citl_low#", "95% from"),
    ("citl_high#", "to"),
    ("slope#", "slope"),
    ("slope_low#", "95% from"),
    ("slope_high#", "to"),
)
"""Columns of every table of calibration."""


@dataclass(frozen=True)
class Predictions:
    """Predictions that a page is about: rows of the columns, answered and abstained, and those with an outcome."""

    columns: LogColumns
    rows: Rows

    @property
    def answered(self) -> Rows:
        """Rows with a probability."""
        return np.asarray(self.rows[self.columns["status"][self.rows] == STATUSES.index("predicted")])

    @property
    def known(self) -> Rows:
        """Rows with a probability whose outcome is known."""
        answered = self.answered
        return np.asarray(answered[self.columns["outcome"][answered] != UNKNOWN])

    def calibrated(self, rows: Rows) -> Calibrated:
        """Return the calibration of rows whose outcome is known."""
        return calibrated(self.columns["probability"][rows], self.columns["outcome"][rows])

    def by_month(self, rows: Rows) -> Split:
        """Split rows by the month of the prediction, the earliest first."""
        months = self.columns["time"][rows].astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
        return [(month_name(one + 12 * 1970), rows[months == one]) for one in np.unique(months).tolist()]

    def by_text(self, rows: Rows, name: str, shown: Callable[[str], str] = str) -> Split:
        """Split rows by a coded column, the largest first; texts that are shown alike are one."""
        texts = [shown(text) for text in self.columns.codes[name].texts]
        labels = np.array([*texts, "unknown"])[self.columns[name][rows]]
        found = [(str(label), rows[labels == label]) for label in np.unique(labels)]
        return sorted(found, key=lambda one: -len(one[1]))


def tissue_of(lineage: str) -> str:
    """Return the name of a lineage's tissue: ``Lung`` of ``LUAD/NSCLC/LUNG``."""
    return histology_name(lineage.rpartition("/")[2])


def values(name: str, label: str, known: Rows, answered: int, of: Predictions) -> dict[str, Any]:
    """Return one row of a table; under ten outcomes everything but the group's name is withheld."""
    if len(known) < FEWEST:
        return {name: label, "n": f"<{FEWEST}", "share": None, "small": True}
    found = of.calibrated(known)
    intervals = {
        f"{what}{end}#": getattr(getattr(found, what), part)
        for what in ("citl", "slope")
        for end, part in (("", "value"), ("_low", "low"), ("_high", "high"))
    }
    share = f"{100 * len(known) / answered:.0f}%"
    counts = {"n": f"{found.n:,}", "share": share, "predicted#": found.predicted, "observed#": found.observed}
    return {name: label, **counts, **intervals, "small": False, "mature": len(known) >= MATURE * answered}


def reliability(of: Predictions) -> Figure:
    """Return observed against predicted."""
    known = of.known
    bins = reliability_bins(of.columns["probability"][known], of.columns["outcome"][known])
    inside = sum(row["low#"] <= row["predicted#"] <= row["high#"] for row in bins)
    return Figure(
        name="reliability",
        title="Share that responded against the probability that was given",
        says=f"{len(known):,} outcomes in {len(bins)} bins of equally many; in {inside} of them the mean probability "
        "lies within the 95% interval of the observed share. On the dashed line both are equal.",
        columns=(("predicted#", "mean probability"), ("observed#", "responded"), ("low#", "95% from"),
                 ("high#", "to"), ("n#", "outcomes"), ("responded#", "responders")),
        numbers=bins,
        drawing="reliability",
        marks=[{"predicted": row["predicted#"], "observed": row["observed#"], "low": row["low#"], "high": row["high#"]}
               for row in bins],
        options={"half": True},
        remark=f"Each point stands for {min((row['n#'] for row in bins), default=0):,} outcomes or one more. Bars are "
        "95% intervals (Wilson).",
    )  # fmt: skip


def over_time(of: Predictions, what: str, name: str, title: str, right: float) -> Figure:
    """Return CITL or slope by the month of the prediction."""
    answered = dict(of.by_month(of.answered))
    rows = [values("month", month, known, len(answered[month]), of) for month, known in of.by_month(of.known)]
    return Figure(
        name=name,
        title=title,
        says=_says_over_time(rows, what, right),
        columns=(("month", "month of the prediction"), *_VALUES),
        numbers=rows,
        drawing="over_time",
        marks=_marks(rows, "month", what),
        options={"x": "month of the prediction", "y": _AXES[what], "right": right},
        remark=f"A month with under {FEWEST} outcomes is withheld. Outcomes come weeks after the prediction: of a "
        f"month in which under {MATURE:.0%} have come, those that came early are not a sample of all; the table says "
        "how many have.",
    )


_AXES = {"citl": "calibration in the large", "slope": "calibration slope"}


def _says_over_time(rows: Sequence[dict[str, Any]], what: str, right: float) -> str:
    judged = [row for row in rows if row.get(f"{what}#") is not None]
    off = [row["month"] for row in judged if not row[f"{what}_low#"] <= right <= row[f"{what}_high#"]]
    if not judged:
        return "No month has enough outcomes yet."
    told = f"In {', '.join(off)} the 95% interval leaves {right:g} out." if off else f"Every interval holds {right:g}."
    return f"{len(judged)} months with enough outcomes. {told}"


def _marks(rows: Iterable[dict[str, Any]], label: str, what: str) -> list[dict[str, Any]]:
    return [
        {label: row[label], "value": row[f"{what}#"], "low": row[f"{what}_low#"], "high": row[f"{what}_high#"]}
        for row in rows
        if row.get(f"{what}#") is not None
    ]


def by_group(of: Predictions, name: str, title: str, column: str, shown: Callable[[str], str] = str) -> Figure:
    """Return CITL by tissue or by site; small groups are withheld."""
    answered = dict(of.by_text(of.answered, column, shown))
    split = of.by_text(of.known, column, shown)
    rows = [values("label", words(label), known, len(answered[label]), of) for label, known in split]
    small = sum(row["small"] for row in rows)
    return Figure(
        name=name,
        title=title,
        says=f"{len(rows) - small} groups; {small} with under {FEWEST} outcomes are withheld. Below 0 the "
        "probabilities were too high, above 0 too low.",
        columns=(("label", "group"), *_VALUES),
        numbers=rows,
        drawing="forest",
        marks=_marks(rows, "label", "citl"),
        options={"x": "calibration in the large, log-odds", "right": 0.0, "half": True},
        remark=f"A group needs {FEWEST} outcomes and three of either kind.",
    )


def abstentions(of: Predictions) -> Figure:
    """Return abstentions by month and first reason."""
    columns, codes = of.columns, of.columns.codes["reasons"].texts
    rows: list[dict[str, Any]] = []
    for month, held in of.by_month(of.rows):
        abstained = held[columns["status"][held] == STATUSES.index("abstained")]
        counts = dict.fromkeys(codes, 0)
        for flags in columns["reasons"][abstained].tolist():
            counts[codes[(flags & -flags).bit_length() - 1]] += bool(flags)
        rows += [
            {"month": month, "what": words(code), "n#": n, "of#": len(held), "share#": n / len(held)}
            for code, n in counts.items()
            if n
        ]
    total = sum(int(row["n#"]) for row in rows)
    return _counts(
        "abstentions",
        "Abstentions by month and reason",
        f"{total:,} of {len(of.rows):,} requests were not answered with a probability. Each counts under one of its "
        "reasons.",
        rows,
        "abstentions",
    )


def overridden(of: Predictions) -> Figure:
    """Return decisions that overrode the answer, by month and reason."""
    columns, codes = of.columns, of.columns.codes["override"].texts
    rows = []
    for month, held in of.by_month(of.rows):
        decided = held[columns["decision"][held] != 0]
        over = decided[columns["decision"][decided] == DECISIONS.index("overridden")]
        reasons, counts = np.unique(columns["override"][over], return_counts=True)
        rows += [
            {"month": month, "what": "no reason" if code == UNKNOWN else words(codes[code]), "n#": n,
             "of#": len(decided), "share#": n / len(decided)}
            for code, n in zip(reasons.tolist(), counts.tolist(), strict=True)
        ]  # fmt: skip
    total, decided_n = sum(row["n#"] for row in rows), int(np.count_nonzero(columns["decision"][of.rows]))
    return _counts(
        "overridden",
        "Decisions that overrode the answer, by month and reason",
        f"{total:,} of {decided_n:,} reported decisions went another way than the answer's therapy.",
        rows,
        "decisions",
    )


def _counts(name: str, title: str, says: str, rows: list[dict[str, Any]], y: str) -> Figure:
    order = sorted({row["what"] for row in rows}, key=lambda what: -sum(r["n#"] for r in rows if r["what"] == what))
    return Figure(
        name=name,
        title=title,
        says=says,
        columns=(("month", "month"), ("what", "reason"), ("n#", "number"), ("of#", "of"), ("share#", "share")),
        numbers=rows,
        drawing="shares",
        marks=[{"month": row["month"], "what": row["what"], "n": row["n#"], "rank": order.index(row["what"])}
               for row in rows],
        options={"order": order, "x": "month of the prediction", "y": y},
    )  # fmt: skip
