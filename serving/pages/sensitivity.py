"""What would change the answer: each input of a case over its plausible range, the others as they are.

Every varied case goes through the same record, features and model as the case itself; nothing is approximated. One
input is moved at a time, so what two inputs would do together is not shown.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.case import read_case
from features.errors import Refusal
from features.from_cases import batch_of
from serving.pages.foreign_text import foreign
from serving.pages.number_text import number, percent
from serving.pages.plausible_ranges import RANGES
from serving.pages.scales import UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from features.case import Case
    from models.response import ResponseModel
    from serving.pages.plausible_ranges import PlausibleRange

UNKNOWN_TEXT, TESTED_TEXT = "not known", "as tested"

MOST_ALTERATIONS = 15
"""Findings that are taken away one by one; a whole exome has 20,000."""

LEAST_SHOWN = 0.005
"""Change of probability (half a percentage point) below which an input is named, not drawn."""

REPLACED = {"mmr.reported": ("mmr",)}
"""Inputs that stand for a whole part of the case while they are varied: one test result for every test."""


@dataclass(frozen=True)
class Tried:
    """One value and the probability it would give; None where the model would abstain."""

    text: str
    probability: float | None
    here: bool


@dataclass(frozen=True)
class Varied:
    """One input over its range.

    Attributes
    ----------
    here
        Its value in the case, as text.
    low, high
        Least and largest probability over the range, the case's own included.
    span
        Start and width of that stretch on a scale of 0 to 1.
    tried
        Value by value.
    """

    path: str
    name: str
    unit: str
    here: str
    low: float
    high: float
    span: tuple[str, str]
    tried: tuple[Tried, ...]

    @property
    def ends(self) -> str:
        """The probabilities that the input could bring about."""
        return f"{percent(self.low)} to {percent(self.high)}"


@dataclass(frozen=True)
class Sensitivity:
    """Inputs that move the answer, the widest first, and the names of those that hardly do."""

    varied: tuple[Varied, ...]
    hardly: tuple[str, ...]


@dataclass(frozen=True)
class _Attempt:
    place: int
    text: str
    here: bool
    case: Case


def sensitivity(request: Mapping[str, Any], model: ResponseModel) -> Sensitivity:
    """Score every varied case at once and order the inputs by how far they can move the probability.

    Parameters
    ----------
    request
        The case as it was logged.
    model
        The model that answered.
    """
    inputs = [*_ranges(request), *_without_findings(request)]
    attempts = [attempt for place, one in enumerate(inputs) for attempt in _attempts(place, one)]
    answers = model.answers(batch_of([read_case(request), *(one.case for one in attempts)]))
    numbers = [
        float(value) if told else None for value, told in zip(answers.scores.probability, answers.answered, strict=True)
    ]
    tried: dict[int, list[Tried]] = {}
    for one, probability in zip(attempts, numbers[1:], strict=True):
        tried.setdefault(one.place, []).append(Tried(one.text, probability, one.here))
    found = [_varied(inputs[place], of_input, numbers[0]) for place, of_input in tried.items()]
    ordered = sorted((one for one in found if one is not None), key=lambda one: one.low - one.high)
    drawn = tuple(one for one in ordered if one.high - one.low >= LEAST_SHOWN)
    return Sensitivity(drawn, tuple(one.name for one in ordered[len(drawn) :]))


@dataclass(frozen=True)
class _Input:
    path: str
    name: str
    unit: str
    here: str
    variants: tuple[tuple[str, bool, dict[str, Any]], ...]


def _ranges(request: Mapping[str, Any]) -> Iterator[_Input]:
    for one in RANGES:
        if one.path in REPLACED:
            yield _replaced(request, one)
            continue
        here = _value(request, one.path)
        shown = UNKNOWN_TEXT if here is None else foreign(number(here))
        yield _Input(one.path, one.name, one.unit, shown, tuple(_variants(request, one, here)))


def _replaced(request: Mapping[str, Any], one: PlausibleRange) -> _Input:
    """Return an input that stands for a part of the case; as it is, the part may hold several tests."""
    known = all(_value(request, part) is not None for part in REPLACED[one.path])
    as_is = [(TESTED_TEXT, True, dict(request))] if known else []
    values = [(foreign(number(value)), False, _with(request, one.path, value)) for value in one.values]
    unknown = (UNKNOWN_TEXT, not known, _with(request, one.path, None))
    shown = TESTED_TEXT if known else UNKNOWN_TEXT
    return _Input(one.path, one.name, one.unit, shown, (*as_is, *values, unknown))


def _variants(request: Mapping[str, Any], one: PlausibleRange, here: Any) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    values = list(one.values)
    if here is not None and here not in values:
        values = sorted([*values, here]) if isinstance(here, (int, float)) else [*values, here]
    for value in values:
        yield foreign(number(value)), value == here, _with(request, one.path, value)
    yield UNKNOWN_TEXT, here is None, _with(request, one.path, None)


def _without_findings(request: Mapping[str, Any]) -> Iterator[_Input]:
    listed = request.get("alterations") or []
    for place, one in enumerate(listed[:MOST_ALTERATIONS]):
        rest = [other for number_, other in enumerate(listed) if number_ != place]
        name = " ".join(str(one.get(key)) for key in ("gene", "protein_change", "kind") if one.get(key))
        variants = (("found", True, dict(request)), ("not found", False, {**request, "alterations": rest}))
        yield _Input(f"alterations.{place}", foreign(name, 50), "", "found", variants)


def _attempts(place: int, one: _Input) -> Iterator[_Attempt]:
    for text, here, changed in one.variants:
        try:
            yield _Attempt(place, text, here, read_case(changed))
        except Refusal:  # contradicts the rest of the case, such as no prior line beside a listed prior therapy
            continue


def _varied(one: _Input, tried: Sequence[Tried], here: float | None) -> Varied | None:
    told = [value.probability for value in tried if value.probability is not None]
    if here is not None:
        told.append(here)
    if not told:
        return None
    low, high = min(told), max(told)
    return Varied(one.path, one.name, one.unit, one.here, low, high, UNIT.span(low, high), tuple(tried))


def _value(record: Mapping[str, Any], path: str) -> Any:
    found: Any = record
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _with(request: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return the case with one input changed, None taken out; a replaced part holds nothing else then."""
    changed = copy.deepcopy(dict(request))
    for part in REPLACED.get(path, ()):
        changed.pop(part, None)
    *parents, name = path.split(".")
    record = changed
    for part in parents:
        record = record.setdefault(part, {})
    if value is None:
        record.pop(name, None)
    else:
        record[name] = value
    for part in reversed(parents):
        if not changed.get(part):
            changed.pop(part, None)
    return changed
