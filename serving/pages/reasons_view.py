"""The reasons of one answer as pages show them: a waterfall by group that opens to features, and the same in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.explanation import SMALLEST_SAID
from serving.pages.foreign_text import foreign
from serving.pages.number_text import number, percent, signed
from serving.pages.scales import Scale, log_odds_scale, logistic, probability_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUP_NAMES = {
    "evidence": "Published evidence",
    "histology": "Histology",
    "alterations": "Alterations",
    "tmb": "Mutational burden",
    "mmr": "Mismatch repair",
    "prior_lines": "Prior therapy",
    "therapy": "This therapy",
    "patient": "Patient",
}

DIRECTIONS = (" raises the estimate", " lowers the estimate", " leaves the estimate as it is")

LEAST_SHOWN = 0.005
"""Log-odds below which a feature is listed apart: it would read +0.00."""

MOST_SENTENCES = 8
"""Reasons that the words name; the others are counted."""


@dataclass(frozen=True)
class Bar:
    """A contribution drawn from where the sum stood before it to where it stands after."""

    start: str
    width: str
    before: str
    after: str
    raises: bool


@dataclass(frozen=True)
class FeatureReason:
    """One feature's contribution, ready to be read."""

    feature: str
    reading: str
    value: str
    unit: str
    log_odds: float
    bar: Bar
    sources: tuple[str, ...]
    unknown: tuple[str, ...]
    parts: tuple[tuple[str, float], ...]

    @property
    def matters(self) -> bool:
        """Whether it is shown at once, or among those that hardly change the estimate."""
        return abs(self.log_odds) >= LEAST_SHOWN


@dataclass(frozen=True)
class GroupReason:
    """One group's contribution and its features, the largest first."""

    group: str
    name: str
    log_odds: float
    bar: Bar
    features: tuple[FeatureReason, ...]


@dataclass(frozen=True)
class Reasons:
    """The waterfall of one answer.

    Attributes
    ----------
    base, final
        Log-odds of the average training case, and of this answer.
    ticks
        Place and name of probabilities along the width.
    groups
        The largest first; they and ``base`` sum to ``final``.
    """

    base: float
    final: float
    base_at: str
    final_at: str
    ticks: tuple[tuple[str, str], ...]
    groups: tuple[GroupReason, ...]


def reading(text: str) -> str:
    """Return what was read, without what it does to the estimate (the bar shows that).

    Examples
    --------
    >>> reading("TMB 12.3 mut/Mb raises the estimate (kept on its own scale)")
    'TMB 12.3 mut/Mb'
    """
    for direction in DIRECTIONS:
        text = text.partition(direction)[0]
    return text


def reasons_of(answer: Mapping[str, Any]) -> Reasons | None:
    """Return the waterfall of an answer; None for an abstention, which has no contributions."""
    if answer["status"] != "predicted":
        return None
    base, final = answer["base_log_odds"], answer["log_odds"]
    sums = {name: value for name, value in answer["groups"].items() if _has_features(answer, name)}
    ordered = sorted(sums.items(), key=lambda one: -abs(one[1]))
    steps = _steps(base, [value for _, value in ordered])
    scale = log_odds_scale([base, final, *(end for step in steps for end in step)])
    groups = tuple(
        GroupReason(name, GROUP_NAMES.get(name, name), value, _bar(scale, *step), _features(answer, name))
        for (name, value), step in zip(ordered, steps, strict=True)
    )
    ticks = tuple(probability_ticks(scale))
    return Reasons(base, final, scale.at(base), scale.at(final), ticks, groups)


def _has_features(answer: Mapping[str, Any], group: str) -> bool:
    return any(one["group"] == group for one in answer["contributions"])


def _steps(start: float, values: Sequence[float]) -> list[tuple[float, float]]:
    found = []
    for value in values:
        found.append((start, start + value))
        start += value
    return found


def _bar(scale: Scale, before: float, after: float) -> Bar:
    start, width = scale.span(before, after)
    return Bar(start, width, scale.at(before), scale.at(after), after >= before)


def _features(answer: Mapping[str, Any], group: str) -> tuple[FeatureReason, ...]:
    """Return the features of a group; their bars start at the middle, on one scale for the whole answer."""
    longest = max(abs(one["log_odds"]) for one in answer["contributions"]) or 1.0
    scale = Scale(-longest, longest)
    mine = (one for one in answer["contributions"] if one["group"] == group)
    return tuple(_feature(one, scale) for one in sorted(mine, key=lambda one: -abs(one["log_odds"])))


def _feature(one: Mapping[str, Any], scale: Scale) -> FeatureReason:
    return FeatureReason(
        feature=one["feature"],
        reading=foreign(reading(one["text"])),
        value=foreign(number(one["value"])),
        unit=foreign(one["unit"] or "", 20),
        log_odds=one["log_odds"],
        bar=_bar(scale, 0.0, one["log_odds"]),
        sources=tuple(foreign(source) for source in one.get("sources", ())),
        unknown=tuple(foreign(text) for text in one.get("unknown", ())),
        parts=tuple((foreign(part["part"]), part["log_odds"]) for part in one.get("parts", ())),
    )


def in_words(answer: Mapping[str, Any]) -> list[str]:
    """Return the same reasons as sentences: where it starts, what raises and lowers it, where it ends."""
    if answer["status"] != "predicted":
        return []
    interval = answer["interval"]
    said = [one for one in answer["contributions"] if abs(one["log_odds"]) >= SMALLEST_SAID][:MOST_SENTENCES]
    start = f"The average case that the model was trained on has {percent(logistic(answer['base_log_odds']))}."
    return [
        start,
        *(f"{_capital(foreign(one['text'], 200))}: {signed(one['log_odds'])}." for one in said),
        f"{len(answer['contributions']) - len(said)} further features change it by "
        f"{signed(answer['log_odds'] - answer['base_log_odds'] - sum(one['log_odds'] for one in said))} together.",
        f"The estimate for this case is {percent(answer['probability'])}, 95% interval "
        f"{percent(interval['low'])} to {percent(interval['high'])}.",
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def unknowns_of(answer: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return what was not known of the case: what its being unknown moves, with by how much, and what it does not."""
    unknown = [one for one in answer["contributions"] if one["value"] is None and one["feature"] != "evidence"]
    moving = [one for one in unknown if abs(one["log_odds"]) >= LEAST_SHOWN]
    still = [one for one in unknown if abs(one["log_odds"]) < LEAST_SHOWN]
    return [f"{_unknown(one)} ({signed(one['log_odds'])})" for one in moving], [_unknown(one) for one in still]


def _unknown(one: Mapping[str, Any]) -> str:
    return _capital(foreign(reading(one["text"])).replace(" not known", ""))
