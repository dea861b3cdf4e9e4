"""What a flat value must be to be taken as it stands: the rules of the record, read off the record itself.

Each scalar field of :class:`features.case.Case` (and of the records inside its lists) has a rule made of its own
annotations, so nothing is written twice. A rule says "certainly good" or nothing: what it does not vouch for is read
by :func:`features.case.read_case`, which accepts or refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from annotated_types import MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from features.case import Alteration, PriorTherapy, Regimen
from features.errors import CaseRefusal
from features.field_types import Number, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from features.batch import FloatArray

_TYPES: Mapping[Any, str] = {bool: "truth", int: "integer", float: "number", str: "text"}


@dataclass(frozen=True)
class Rule:
    """What is certainly good in one field.

    Attributes
    ----------
    kind
        ``number``, ``integer``, ``truth`` or ``text``.
    low, high
        Range of a number, ends included.
    allowed
        The values of a text with a closed vocabulary; None where it is open.
    longest
        Characters of a text.
    resolve
        Canonical spelling of a text, where a vocabulary has one; raises :class:`CaseRefusal`.
    """

    kind: str
    low: float = -np.inf
    high: float = np.inf
    allowed: frozenset[str] | None = None
    longest: int | None = None
    resolve: Callable[[str], str] | None = field(default=None, compare=False)

    def number(self, values: FloatArray) -> NDArray[np.bool_]:
        """Return which known numbers are certainly good, shape (n,); NaN is unknown, and good.

        Examples
        --------
        >>> Rule("integer", 0, 20).number(np.array([2.0, np.nan, 2.5, 21.0])).tolist()
        [True, True, False, False]
        """
        good = np.isnan(values) | ((values >= self.low) & (values <= self.high))
        return good & (np.isnan(values) | (np.floor(values) == values)) if self.kind == "integer" else good

    @property
    def free(self) -> bool:
        """Whether a text is kept as it stands, whatever it says."""
        return self.kind == "text" and self.allowed is None and self.resolve is None

    def text(self, seen: str) -> str | None:
        """Return the canonical spelling of a text, or None when it is not certainly good.

        Examples
        --------
        >>> Rule("text", allowed=frozenset({"I", "II"})).text("II"), Rule("text", longest=1).text("II")
        ('II', None)
        """
        if self.allowed is not None and seen not in self.allowed:
            return None
        if self.longest is not None and len(seen) > self.longest:
            return None
        if self.resolve is None:
            return seen
        try:
            return self.resolve(seen)
        except CaseRefusal:
            return None


def _parts(annotation: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the member types of an annotation without None, and all its metadata."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        members, more = _parts(inner)
        return members, (*marks, *more)
    if get_origin(annotation) in (Union, UnionType):
        found = [_parts(part) for part in get_args(annotation) if part is not NoneType]
        return tuple(m for members, _ in found for m in members), tuple(k for _, marks in found for k in marks)
    return (annotation,), ()


def rule_of(annotation: Any) -> Rule | None:
    """Return the rule of a scalar field's annotation; None for a list or a record."""
    members, marks = _parts(annotation)
    member = members[0]
    if get_origin(member) is Literal:
        return Rule("text", allowed=frozenset(get_args(member)))
    kind = _TYPES.get(member)
    if kind is None:
        return None
    measure = next((mark.measure for mark in marks if isinstance(mark, Number)), None)
    resolve = next((mark.resolve for mark in marks if isinstance(mark, Resolved)), None)
    lengths = [m for mark in marks if isinstance(mark, FieldInfo) for m in mark.metadata if isinstance(m, MaxLen)]
    low, high = (-np.inf, np.inf) if measure is None else (measure.low, measure.high)
    return Rule(kind, low, high, None, lengths[0].max_length if lengths else None, resolve)


@lru_cache(maxsize=16)
def rules_of(record: type[BaseModel]) -> Mapping[str, Rule]:
    """Return the rules of a record's scalar fields, by dotted path.

    Examples
    --------
    >>> from features.case import Case
    >>> rules_of(Case)["patient.albumin_g_per_dl"].high, sorted(rules_of(Case)["mmr.ihc"].allowed or ())
    (8, ['deficient', 'equivocal', 'proficient'])
    """
    found: dict[str, Rule] = {}
    for name, annotation in get_type_hints(record, include_extras=True).items():
        if name not in record.model_fields:
            continue
        member = _parts(annotation)[0][0]
        if isinstance(member, type) and issubclass(member, BaseModel):
            if not issubclass(member, Regimen):
                found |= {f"{name}.{path}": rule for path, rule in rules_of(member).items()}
        elif (rule := rule_of(annotation)) is not None:
            found[record.model_fields[name].alias or name] = rule
    return found


ALTERATION_RULES, PRIOR_RULES = rules_of(Alteration), rules_of(PriorTherapy)
