"""What needs the values of cases, from a bounded sample: beeswarm and dependence.

Values stand in ciphertext alone. A page opens the payloads of at most 400 predictions; which ones depends on their
number alone, so that the same filter shows the same sample, and a longer log changes few of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from features.feature_titles import in_words
from serving.audit.reading import opened
from serving.audit.tables import RECORDS
from serving.pages.case_view import WRITTEN
from serving.pages.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.pages.log_follow import LogReader

MOST_OPENED = 400
"""Payloads that one page opens: 0.1 s."""
MOST_KEPT = 4_000
"""Opened contributions kept in memory: some 20 MB."""
SWARM_FEATURES, SWARM_ANSWERS = 10, 200
FEWEST_NUMERIC = 0.5
"""Share of known values that must be numbers for a feature to have a numeric axis."""

_SPREAD = np.uint64(11400714819323198485)
"""2**64 over the golden ratio: multiplying by it scatters consecutive numbers (Knuth, TAOCP 3, 6.4)."""


@dataclass(frozen=True)
class Opened:
    """Contributions of one answer by feature: (log-odds, value, unit), and what the columns say of its signs."""

    record_id: str
    contributions: dict[str, tuple[float, Any, str]]
    judged: frozenset[str]
    disagrees: frozenset[str]


@dataclass
class Sampler:
    """Opens samples, and keeps what it opened; what was erased since is never shown."""

    reader: LogReader
    _kept: OrderedDict[int, tuple[str, dict[str, tuple[float, Any, str]]]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sample(self, rows: NDArray[np.intp], most: int = MOST_OPENED) -> list[Opened]:
        """Return at most so many of some predictions, in the order of the log."""
        with self.reader.steady:
            columns = self.reader.columns
            rows = rows[~columns["erased"][rows]]
            chosen = rows[spread(columns["seq"][rows], most)]
            seqs = columns["seq"][chosen].tolist()
            texts_of = columns.codes["features"].texts_of
            signs = [
                tuple(frozenset(texts_of(int(columns[name][row]))) for name in ("judged", "disagrees"))
                for row in chosen
            ]
        with self._lock:
            self._open([seq for seq in seqs if seq not in self._kept])
            found = [self._kept.get(seq) for seq in seqs]
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        pairs = zip(found, signs, strict=True)
        return [Opened(one[0], one[1], judged, disagrees) for one, (judged, disagrees) in pairs if one is not None]

    def _open(self, seqs: Sequence[int]) -> None:
        auditor = self.reader.auditor
        query = sa.select(RECORDS).where(RECORDS.c.seq.in_(seqs)).order_by(RECORDS.c.seq)
        with auditor.database.reading() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()] if seqs else []
        for logged in opened(auditor.database, rows, auditor.keys):
            if logged.payload is not None:
                phi = {
                    one["feature"]: (one["log_odds"], one["value"], one["unit"])
                    for one in logged.payload["answer"]["contributions"]
                }
                self._kept[logged.row["seq"]] = (logged.row["record_id"], phi)


def spread(seqs: NDArray[np.int64], most: int) -> NDArray[np.intp]:
    """Return places of at most so many record numbers, scattered evenly and always the same ones.

    Examples
    --------
    >>> seqs = np.arange(1, 1001)
    >>> small, large = (set(spread(seqs[:n], 50).tolist()) for n in (900, 1000))
    >>> len(small), len(small & large) > 30
    (50, True)
    """
    if len(seqs) <= most:
        return np.arange(len(seqs))
    scattered = seqs.astype(np.uint64) * _SPREAD
    return np.sort(np.argpartition(scattered, most)[:most])


def beeswarm(sample: Sequence[Opened], features: Sequence[str]) -> Figure:
    """Return the contributions of the largest features, one point per answer."""
    shown = list(features[:SWARM_FEATURES])
    some = sample[:: max(1, len(sample) // SWARM_ANSWERS)]
    marks = [mark for feature in shown for mark in _swarm(some, feature)]
    rows = [_row(one, feature) for one in some for feature in shown if feature in one.contributions]
    return Figure(
        name="swarm",
        title="Contributions, answer by answer",
        says=f"One point per answer of a sample of {len(some)}; to the right it raises the estimate. Blue is a high "
        "value of the feature, orange a low one; grey and hollow is an unknown value, or one that is no number.",
        columns=(("record", "prediction"), ("label", "feature"), ("value", "value"), ("phi#", "log-odds")),
        numbers=rows[:1_000],
        drawing="beeswarm",
        marks=marks,
        options={"x": "contribution, log-odds", "order": [in_words(feature) for feature in shown]},
        remark="Values of cases are encrypted in the log; this page opened the payloads of the sample alone.",
    )


def _row(one: Opened, feature: str) -> dict[str, Any]:
    phi, value, unit = one.contributions[feature]
    text = None if value is None else f"{value:g} {unit}".strip() if _numeric(value) else _in_words(feature, value)
    return {"record": one.record_id, "label": in_words(feature), "value": text, "phi#": float(phi)}


def _in_words(feature: str, value: Any) -> str:
    """Return a value that is no number: codes of histologies and therapy classes by their names."""
    return WRITTEN.get(feature, str)(str(value))[:60]


def _swarm(sample: Sequence[Opened], feature: str) -> list[dict[str, Any]]:
    held = [one.contributions[feature] for one in sample if feature in one.contributions]
    phi = np.array([one[0] for one in held])
    known = np.array([float(one[1]) if _numeric(one[1]) else np.nan for one in held])
    levels = ranks(known)
    return [
        {"feature": in_words(feature), "phi": round(float(x), 4), "offset": round(float(y), 3),
         "level": None if np.isnan(level) else round(float(level), 3)}
        for x, y, level in zip(phi, stacked(phi), levels, strict=True)
    ]  # fmt: skip


def _numeric(value: Any) -> bool:
    return isinstance(value, (bool, int, float))


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each value's place between the lowest (0) and the highest (1), ties alike, unknown NaN.

    Examples
    --------
    >>> ranks(np.array([3.0, 1.0, np.nan, 3.0])).tolist()
    [1.0, 0.0, nan, 1.0]
    """
    known = np.unique(values[~np.isnan(values)])
    place = np.searchsorted(known, values) / max(1, len(known) - 1)
    return np.where(np.isnan(values), np.nan, place if len(known) > 1 else 0.5)


def stacked(phi: NDArray[np.float64], bins: int = 60) -> NDArray[np.float64]:
    """Return where points stand across their line, -0.8 to 0.8: points of one place are spread, the more the wider.

    Examples
    --------
    >>> stacked(np.array([0.0, 0.0, 0.0, 5.0])).tolist()
    [0.0, 0.8, -0.8, 0.0]
    """
    if len(phi) == 0:
        return phi
    width = max(float(np.ptp(phi)), 1e-9) / bins
    place = np.floor((phi - phi.min()) / width).astype(np.int64)
    order = np.zeros(len(phi))
    for one in np.unique(place):
        here = np.flatnonzero(place == one)
        step = (np.arange(len(here)) + 1) // 2
        order[here] = np.where(np.arange(len(here)) % 2 == 1, step, -step)
    return order / max(1.0, float(np.abs(order).max())) * 0.8


def dependence(sample: Sequence[Opened], feature: str) -> Figure:
    """Return contribution against value of one feature, each point with whether its sign is as declared."""
    held = [(one, *one.contributions[feature]) for one in sample if feature in one.contributions]
    known = [one for one in held if one[2] is not None]
    numeric = sum(_numeric(one[2]) for one in known) >= FEWEST_NUMERIC * max(1, len(known))
    shown = [one for one in known if _numeric(one[2]) == numeric]
    unit = next((one[3] for one in shown if one[3]), "")
    marks = [
        {
            "value": float(value) if numeric else _in_words(feature, value)[:40],
            "phi": round(float(phi), 4),
            "way": _way(one, feature),
        }
        for one, phi, value, _ in shown
    ]
    against = sum(mark["way"] == "against" for mark in marks)
    return Figure(
        name="dependence",
        title=f"How the contribution depends on the value: {in_words(feature)}",
        says=f"{len(marks)} answers of the sample have a value; in {len(held) - len(known)} it is not known. "
        f"In {against} the contribution goes against declared biology.",
        columns=(("value", "value"), ("phi#", "log-odds"), ("way", "against declared biology?")),
        numbers=[{"value": mark["value"], "phi#": mark["phi"], "way": mark["way"]} for mark in marks],
        drawing="dependence",
        marks=marks,
        options={"numeric": numeric, "x": f"{in_words(feature)}{f', {unit}' if unit else ''}"},
        remark=f"Drawn from a sample of {len(sample)} predictions, whose payloads were opened for this page; values "
        "stand in the log as ciphertext alone.",
    )


def _way(one: Opened, feature: str) -> str:
    if feature in one.disagrees:
        return "against"
    return "as declared" if feature in one.judged else "not judged"
