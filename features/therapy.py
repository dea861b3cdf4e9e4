"""Therapy: the class of the regimen at hand, and what is given with it.

Levels are learned from training cases, so a class that too few of them had gets no column of its own: its evidence
and the columns of its target carry it, and the answer warns. How the therapy fits the alterations of the case is the
business of :mod:`features.alterations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from features.contract import Column, Shown
from features.regimens import regimen
from features.therapy_classes import class_facts, combined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray
    from features.contract import Group

LEAST_CASES = 10
"""Training cases a class needs for a column of its own. Fewer cannot carry a coefficient (ten cases per parameter)."""

COMPANIONS: Mapping[str, tuple[str, ...]] = {
    "with_chemotherapy": ("chemotherapy",),
    "with_antiangiogenic": ("vegfr", "vegf_antibody"),
}
"""What is given beside the classes that a regimen is named for."""

_IN_WORDS = {
    "with_chemotherapy": "chemotherapy in combination",
    "with_antiangiogenic": "antiangiogenic drug in combination",
}

_LED_BY_COMPANION = frozenset(part for parts in COMPANIONS.values() for part in parts)


@lru_cache(maxsize=16_384)
def _led_class(key: str) -> str:
    """Return the class of a regimen without its companions: the level it counts towards.

    Examples
    --------
    >>> _led_class("carboplatin+pembrolizumab"), _led_class("pembrolizumab"), _led_class("bevacizumab+paclitaxel")
    ('pd1_pdl1', 'pd1_pdl1', 'vegf+chemotherapy')
    """
    facts = regimen(key)
    led = [part for part in facts.parts if part not in _LED_BY_COMPANION]
    return combined(led) if led else facts.therapy_class


@lru_cache(maxsize=16_384)
def _companion_flags(key: str) -> tuple[float, ...]:
    parts = set(regimen(key).parts)
    led = bool(parts - _LED_BY_COMPANION)
    return tuple(float(led and bool(parts.intersection(wanted))) for wanted in COMPANIONS.values())


@dataclass(frozen=True)
class TherapyBuilder:
    """The therapy at hand, as levels of its class and flags of what is given with it. Never unknown.

    Attributes
    ----------
    levels
        Classes with a column, sorted. The class with the most training cases has none: it is what the others are
        compared with (``reference``). A class that is neither is all zero and warns.
    reference
        The commonest class in training, or "" when unfitted.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.from_cases import batch_of
    >>> case = read_case({"histology": "RCC", "therapy": {"agents": ["nivolumab", "ipilimumab"]}})
    >>> builder = TherapyBuilder(levels=("pd1_pdl1+ctla4",), reference="pd1_pdl1")
    >>> [column.name for column in builder.columns()], builder.build(batch_of([case])).tolist()
    (['therapy_class_pd1_pdl1+ctla4', 'with_chemotherapy', 'with_antiangiogenic'], [[1.0, 0.0, 0.0]])
    """

    levels: tuple[str, ...] = ()
    reference: str = ""

    name: ClassVar[str] = "therapy"
    group: ClassVar[Group] = "therapy"

    def columns(self) -> tuple[Column, ...]:
        """Return one column per level, then one per companion."""
        by_level = (Column(f"therapy_class_{level}", "therapy_class", self.group) for level in self.levels)
        return (*by_level, *(Column(name, name, self.group) for name in COMPANIONS))

    def build(self, batch: Batch) -> FloatArray:
        """Return the columns, shape (n, levels + 2), without NaN."""
        therapy = batch.texts["therapy"]
        return np.array([self._row(key) for key in therapy.levels], dtype=np.float64)[therapy.codes]

    def _row(self, key: str) -> tuple[float, ...]:
        led = _led_class(key)
        return (*(float(led == level) for level in self.levels), *_companion_flags(key))

    def fit(self, batch: Batch) -> Self:
        """Return a builder with a level for every class of at least ten training cases."""
        therapy = batch.texts["therapy"]
        cases: dict[str, int] = {}
        for key, count in zip(therapy.levels, np.bincount(therapy.codes, minlength=len(therapy.levels)), strict=True):
            cases[_led_class(key)] = cases.get(_led_class(key), 0) + int(count)
        if not cases:
            return type(self)()
        reference = min(cases, key=lambda name: (-cases[name], name))
        kept = sorted(name for name, count in cases.items() if count >= LEAST_CASES and name != reference)
        return type(self)(tuple(kept), reference)

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return the class of the regimen and its companions in words."""
        key = _key(batch, row)
        facts = regimen(key)
        title = class_facts(facts.therapy_class).title
        agents = " + ".join(facts.agents)
        text = f"{agents} ({title})" if agents else f"{title}, agent not recorded"
        sources = tuple(f"{name} (therapies.csv)" for name in facts.agents)
        unknown = () if agents else ("the agent is not recorded",)
        shown = [Shown("therapy_class", self.group, title, "", text, sources, unknown)]
        for name, flag in zip(COMPANIONS, _companion_flags(key), strict=True):
            shown.append(Shown(name, self.group, bool(flag), "", _IN_WORDS[name] if flag else f"no {_IN_WORDS[name]}"))
        return shown

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Warn when the class was too rare in training to have a column."""
        led = _led_class(_key(batch, row))
        if not self.reference or led == self.reference or led in self.levels:
            return []
        known = ", ".join(sorted({self.reference, *self.levels}))
        return [f"rare_therapy_class: {led} had fewer than {LEAST_CASES} training cases; known: {known}"]

    def parameters(self) -> dict[str, Any]:
        """Return the learned levels."""
        return {"levels": list(self.levels), "reference": self.reference}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return the builder that :meth:`parameters` came from."""
        return cls(tuple(parameters["levels"]), parameters["reference"])


def _key(batch: Batch, row: int) -> str:
    therapy = batch.texts["therapy"]
    return therapy.levels[int(therapy.codes[row])]
