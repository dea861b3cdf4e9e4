"""Therapy in context: a regimen without a match by why there is none, and after what came before it.

That no alteration a drug needs is known may mean that it was ruled out, that another of its gene was found, that blood
did not show it, or that nobody looked; and the patients of one drug may nearly all have had another of its class,
where those of the next have not. So what is not known says something else under each regimen. Levels are learned from
training cases and nested in those of :mod:`features.therapy_interactions`: ridge on them is partial pooling, and a
context with few cases is drawn towards its regimen in its setting.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import numpy as np

from features import histology
from features.alteration_columns import MATCH_STATES, PLACE
from features.alterations import AlterationsBuilder
from features.contract import Shown
from features.finding_levels import distinct
from features.nested_levels import NestedLevelsBuilder
from features.prior_history import history_of
from features.prior_lines import COLUMNS as PRIOR_COLUMNS
from features.prior_lines import columns_of
from features.regimens import regimen
from features.setting_text import setting_text
from features.therapy_interactions import FAMILIES, LEAST_CASES, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, IntArray

NO_MATCH, HISTORY = "therapy_without_match", "therapy_after_its_class"
"""The two contributions: why there is no match, and whether a drug of the class came before."""

UNMATCHED: Mapping[str, str] = {
    "unmatched": "its target ruled out",
    "wrong_class": "another alteration of its target",
    "not_detected": "its target not found in blood",
    "untested": "its target not tested",
}
"""States of a match (:data:`features.alteration_columns.MATCH_STATES`) that have levels, in words."""

BEFORE = ("its class not known before", "nothing of its class before", "after its class")
"""Whether a drug of the same class came before: unknown, no, yes."""

_STATES = ("", *UNMATCHED.values())
_SAME_CLASS = [column.name for column in PRIOR_COLUMNS].index("same_class_before")


class Context(NamedTuple):
    """A regimen key, an OncoTree code, the class of the match ("" without one), why there is none, what came before."""

    key: str
    code: str
    matched: str
    unmatched: str
    before: str


@dataclass(frozen=True)
class TherapyContextBuilder(NestedLevelsBuilder[Context]):
    """The regimen by what is known around it, as nested levels. Never unknown: not known is a level of its own.

    Assumption: why something is not known is alike in the hospitals that the model is trained on and served in.

    Attributes
    ----------
    levels
        Levels with a column, sorted: ``gefitinib in LUNG, its target not tested``; empty before ``fit``.
    """

    name: ClassVar[str] = "therapy_context"
    families: ClassVar[tuple[str, ...]] = FAMILIES

    def settings(self, batch: Batch) -> tuple[list[Context], IntArray]:
        """Return the different contexts of a batch, and for each case the place of its own."""
        return batch.reading("therapy in context", _found)

    def levels_in(self, setting: Context) -> Mapping[str, tuple[str, ...]]:
        """Return the levels of a context, the broadest first."""
        return levels_of(setting)

    def feature_of(self, level: str) -> str:
        """Return the contribution that a level is counted under."""
        return feature_of(level)

    def fit(self, batch: Batch) -> Self:
        """Return the builder with the levels of these training cases; one as large as what it is in gives way."""
        if not any(regimen(key).family == "targeted" for key in batch.texts["therapy"].levels):
            return type(self)()
        cases: Counter[str] = Counter()
        broader: dict[str, tuple[str, ...]] = {}
        for context, n in self.counted(batch):
            levels = levels_of(context)
            cases.update(dict.fromkeys((*levels, *(one for of in levels.values() for one in of)), n))
            broader.update(levels)
        kept = [level for level, of in broader.items() if cases[level] >= LEAST_CASES and _smaller(level, of, cases)]
        return type(self)(tuple(sorted(kept)))

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return the narrowest level of each of the two that has a column, in words."""
        near, place = batch.near(row)
        contexts, places = self.settings(near)
        known = self.known_in(contexts[int(places[place])])
        return tuple(self._shown(feature, [one for one in known if feature_of(one) == feature]) for feature in _FEW)

    def _shown(self, feature: str, known: list[str]) -> Shown:
        if not known:
            return Shown(feature, self.group, None, "", _FEW[feature])
        setting, _, context = known[-1].partition(", ")
        return Shown(feature, self.group, known[-1], "", f"{setting_text(setting)}, {context}")


_FEW = {
    NO_MATCH: "no level of this therapy without a match was learned from training cases",
    HISTORY: "no level of this therapy by what came before was learned from training cases",
}


def feature_of(level: str) -> str:
    """Return the contribution that a level is counted under.

    Examples
    --------
    >>> feature_of("gefitinib, its target not tested"), feature_of("gefitinib, after its class")
    ('therapy_without_match', 'therapy_after_its_class')
    """
    return HISTORY if level.endswith(BEFORE) else NO_MATCH


def _smaller(level: str, broader: Sequence[str], cases: Mapping[str, int]) -> bool:
    return all(cases[one] > cases[level] for one in broader)


@lru_cache(maxsize=65_536)
def levels_of(context: Context) -> Mapping[str, tuple[str, ...]]:
    """Return the levels of a context, the broadest first, each with those that it is part of.

    Examples
    --------
    >>> list(levels_of(Context("gefitinib", "LUAD", "", "its target not tested", "after its class")))[:2]
    ['gefitinib, its target not tested', 'gefitinib in LUNG, its target not tested']
    >>> levels_of(Context("nivolumab", "SKCM", "", "", "after its class"))
    {}
    """
    key = context.key
    if not key or regimen(key).family != "targeted":
        return {}
    here = f"{key} in {histology.lineage(context.code)[-1]}" if context.code else ""
    given = f" for {context.matched or 'no known match'}"
    found: dict[str, tuple[str, ...]] = {}
    if context.unmatched:
        found[f"{key}, {context.unmatched}"] = (key, f"{key}{given}")
        if here:
            found[f"{here}, {context.unmatched}"] = (f"{key}, {context.unmatched}", f"{here}{given}")
    found[f"{key}, {context.before}"] = (key,)
    if here:
        found[f"{here}{given}, {context.before}"] = (f"{key}, {context.before}", f"{here}{given}")
    return found


def _found(batch: Batch) -> tuple[list[Context], IntArray]:
    settings, place = settings_of(batch)
    match = AlterationsBuilder().build_for(batch, FAMILIES[0])
    state = np.zeros(batch.n, dtype=np.int64)
    for name, of_match, _ in MATCH_STATES:
        if of_match in UNMATCHED:
            state[match[:, PLACE[name]] == 1.0] = _STATES.index(UNMATCHED[of_match])
    same = columns_of(history_of(batch))[:, _SAME_CLASS]
    before = np.where(np.isnan(same), 0, 1 + np.nan_to_num(same)).astype(np.int64)
    different, places = distinct((place * len(_STATES) + state) * len(BEFORE) + before)
    found = []
    for one in different.tolist():
        of_setting, of_before = divmod(one, len(BEFORE))
        of_setting, of_state = divmod(of_setting, len(_STATES))
        key, code, matched = settings[of_setting][:3]
        found.append(Context(key, code, matched, "" if matched else _STATES[of_state], BEFORE[of_before]))
    return found, places
