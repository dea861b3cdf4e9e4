"""Therapy in histology: the class of a checkpoint regimen within a tumour, at every level of its lineage.

Chemotherapy beside PD-1 blockade adds much in the lung and less in the head and neck; a CTLA-4 antibody does most in
the kidney and the skin. A column is a class of regimen in a level of the OncoTree lineage that enough training cases
had. They are nested, as those of :mod:`features.histology_builder` are: ridge on them is partial pooling, and what a
class does in a code with few cases is drawn towards what it does in its parents and everywhere.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Self

from features import histology
from features.contract import Shown
from features.finding_levels import distinct
from features.nested_levels import NestedLevelsBuilder
from features.regimens import regimen
from features.therapy_classes import class_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.batch import Batch, IntArray

LEAST_CASES = 40
"""Training cases a level needs: twice those of a histology's own, for a column is the difference of two rates."""

FEATURE = "therapy_in_histology"
FAMILIES = ("checkpoint",)
"""Targeted regimens have levels of their own (:mod:`features.therapy_interactions`)."""

BLOCKADE = ("checkpoint", "mixed")
"""Families of regimens that hold a checkpoint antibody, alone or beside a targeted drug."""


@dataclass(frozen=True)
class TherapyInHistologyBuilder(NestedLevelsBuilder[tuple[str, str]]):
    """The class of the regimen within the levels of the histology's lineage. Never unknown.

    Assumption: agents of one class do alike within a histology. A class in a histology that training did not have
    falls to the broader levels, and then to what class and histology say each.

    Attributes
    ----------
    levels
        Levels with a column, sorted: ``pd1_pdl1+ctla4 in KIDNEY``; empty before ``fit``.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.from_cases import batch_of
    >>> raw = {"therapy": {"agents": ["nivolumab", "ipilimumab"]}}
    >>> batch = batch_of([read_case({**raw, "histology": code}) for code in ("CCRCC", "SKCM")])
    >>> TherapyInHistologyBuilder(("pd1_pdl1+ctla4 in KIDNEY",)).build(batch).tolist()
    [[1.0], [0.0]]
    """

    name: ClassVar[str] = "therapy_in_histology"
    families: ClassVar[tuple[str, ...]] = FAMILIES

    def settings(self, batch: Batch) -> tuple[list[tuple[str, str]], IntArray]:
        """Return the different pairs of regimen and histology of a batch, and for each case the place of its own."""
        therapy, code = batch.texts["therapy"], batch.texts["histology"]
        width = len(code.levels) + 1
        different, place = distinct((therapy.codes + 1) * width + code.codes + 1)
        keys, codes = ("", *therapy.levels), ("", *code.levels)
        return [(keys[one // width], codes[one % width]) for one in different.tolist()], place

    def levels_in(self, setting: tuple[str, str]) -> tuple[str, ...]:
        """Return the levels of a regimen in a histology, the broadest first."""
        return levels_of(*setting)

    def feature_of(self, level: str) -> str:  # noqa: ARG002 - all levels are of one feature
        """Return the one feature."""
        return FEATURE

    def fit(self, batch: Batch) -> Self:
        """Return the builder with the levels of these training cases.

        A level gives way to what holds the same cases: a broader level, the class everywhere, or the histology.
        """
        cases: Counter[str] = Counter()
        of_class: Counter[str] = Counter()
        of_code: Counter[str] = Counter()
        for (key, code), n in self.counted(batch):
            cases.update(dict.fromkeys(levels_of(key, code), n))
            of_class[_class_of(key)] += n
            of_code.update(dict.fromkeys(histology.lineage(code) if code else (), n))
        kept = []
        for level, n in cases.items():
            therapy_class, _, code = level.partition(IN)
            parent = f"{therapy_class}{IN}{histology.row(code).parent}"
            if n >= LEAST_CASES and n not in (cases.get(parent), of_class[therapy_class], of_code[code]):
                kept.append(level)
        return type(self)(tuple(sorted(kept)))

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return the narrowest level that has a column, in words."""
        settings, place = self.settings(batch.only(row))
        known = self.known_in(settings[int(place[0])])
        if not known:
            text = "this class of therapy in this histology has too few training cases of its own"
            return (Shown(FEATURE, self.group, None, "", text),)
        therapy_class, _, code = known[-1].partition(IN)
        text = f"{class_facts(therapy_class).title} in {histology.row(code).name} ({code})"
        return (Shown(FEATURE, self.group, known[-1], "", text, (f"histologies.csv:{code}",)),)


IN = " in "


@lru_cache(maxsize=16_384)
def _class_of(key: str) -> str:
    """Return the class of a regimen with a checkpoint antibody, companions included; "" for another or none."""
    if not key:
        return ""
    facts = regimen(key)
    return facts.therapy_class if facts.family in BLOCKADE else ""


@lru_cache(maxsize=65_536)
def levels_of(key: str, code: str) -> tuple[str, ...]:
    """Return the levels of a regimen in a histology, the broadest first; none without a checkpoint antibody.

    Parameters
    ----------
    key, code
        Regimen key and OncoTree code, "" when unknown.

    Examples
    --------
    >>> levels_of("nivolumab", "SKCM")
    ('pd1_pdl1 in SKIN', 'pd1_pdl1 in MEL', 'pd1_pdl1 in SKCM')
    >>> levels_of("vemurafenib", "SKCM")
    ()
    """
    therapy_class = _class_of(key)
    if not therapy_class or not code:
        return ()
    return tuple(f"{therapy_class}{IN}{level}" for level in reversed(histology.lineage(code)))
