"""Therapy classes: what an agent or a regimen is an instance of, and the one name of every combination.

The class of a combination follows from its agents: the set of their classes (each by its name ``in_combination``), in
the fixed ``order`` of ``therapy_classes.csv`` (checkpoint, then targeted, then the rest), joined by ``+``: dabrafenib
with trametinib is ``braf+mek`` whatever the order, the brand or the dose. A combination need not be listed to have a
name; those that are listed have synonyms as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, cast

from features.errors import UnknownTherapyClass, seen_text
from features.vocabulary import cell_list, nearest, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Family = Literal["checkpoint", "targeted", "mixed", "other"]


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """What is known of a therapy class.

    Attributes
    ----------
    name
        Id, such as ``pd1_pdl1`` or ``braf+mek``.
    family
        ``checkpoint`` and ``targeted`` also when chemotherapy or endocrine therapy is given with it; ``mixed`` when
        checkpoint and targeted agents are given together; ``other`` when neither is.
    parts
        The single classes it consists of, in order; itself when it is a single class.
    targets
        Union of what its parts act on.
    basket
        True for classes of published arms that stand for unlike drugs (matched phase 1 therapy); legal for an arm,
        never for a case.
    """

    name: str
    title: str
    synonyms: tuple[str, ...]
    family: Family
    parts: tuple[str, ...]
    targets: frozenset[str]
    basket: bool
    source: str


def _folded(text: str) -> str:
    return " ".join(text.casefold().replace("-", " ").replace("_", " ").replace(" + ", "+").split())


@lru_cache(maxsize=1)
def _order() -> Mapping[str, tuple[int, str]]:
    return {
        row["class"]: (int(row["order"] or 0), row["in_combination"] or row["class"])
        for row in table("therapy_classes")
    }


def in_order(parts: Iterable[str]) -> tuple[str, ...]:
    """Return distinct single classes in the order in which a combination names them.

    Examples
    --------
    >>> in_order(["chemotherapy", "pd1_pdl1", "chemotherapy"])
    ('pd1_pdl1', 'chemotherapy')
    """
    return tuple(sorted(set(parts), key=lambda part: _order()[part]))


def combined(parts: Iterable[str]) -> str:
    """Return the class id of a combination of single classes.

    Examples
    --------
    >>> combined(["mek", "braf"]), combined(["ctla4", "pd1_pdl1"]), combined(["braf", "egfr_antibody"])
    ('braf+mek', 'pd1_pdl1+ctla4', 'braf+egfr')
    >>> combined(["egfr_antibody"])
    'egfr_antibody'
    """
    distinct = in_order(parts)
    if len(distinct) == 1:
        return distinct[0]
    return "+".join(dict.fromkeys(_order()[part][1] for part in distinct))


def family_of(families: Iterable[Family]) -> Family:
    """Return the family of a combination of classes of these families.

    Examples
    --------
    >>> family_of(["checkpoint", "other"]), family_of(["checkpoint", "targeted"])
    ('checkpoint', 'mixed')
    """
    led = set(families) - {"other"}
    if not led:
        return "other"
    return led.pop() if len(led) == 1 else "mixed"


@lru_cache(maxsize=1)
def classes() -> Mapping[str, ClassFacts]:
    """Return every listed class by its id, in file order."""
    rows = {row["class"]: row for row in table("therapy_classes")}
    return {name: _facts(row, rows) for name, row in rows.items()}


def _facts(row: Mapping[str, str], rows: Mapping[str, Mapping[str, str]]) -> ClassFacts:
    parts = cell_list(row["parts"]) or (row["class"],)
    return ClassFacts(
        name=row["class"],
        title=row["name"],
        synonyms=cell_list(row["synonyms"]),
        family=cast("Family", row["family"]),
        parts=parts,
        targets=frozenset(target for part in parts for target in cell_list(rows[part]["targets"])),
        basket=row["kind"] == "basket",
        source=row["source"],
    )


@lru_cache(maxsize=4096)
def class_facts(name: str) -> ClassFacts:
    """Return what is known of a class, listed or combined by ``+``.

    Raises
    ------
    UnknownTherapyClass
        When the id is neither listed nor a combination of listed single classes.

    Examples
    --------
    >>> class_facts("braf+mek").family, sorted(class_facts("pd1_pdl1+ctla4").targets)
    ('targeted', ['CD274', 'CTLA4', 'PDCD1'])
    """
    listed = classes().get(name)
    if listed is not None:
        return listed
    parts = [_single(part) for part in name.split("+")]
    if not all(parts):
        raise _unknown(name)
    known = [classes()[part] for part in parts]
    return ClassFacts(
        name=name,
        title=" with ".join(part.title for part in known),
        synonyms=(),
        family=family_of(part.family for part in known),
        parts=tuple(parts),
        targets=frozenset(target for part in known for target in part.targets),
        basket=any(part.basket for part in known),
        source="combination of listed classes",
    )


def _single(part: str) -> str:
    """Return the single class that a part of a combination's id names, or "".

    A class id comes first: ``egfr`` in an unlisted combination is read as the kinase inhibitor, though an antibody has
    that name in combination too; what they act on is the same.
    """
    known = classes().get(part)
    if known is not None:
        return part if known.parts == (part,) else ""
    return next((name for name, (_, named) in _order().items() if named == part), "")


@lru_cache(maxsize=1)
def spellings() -> Mapping[str, str]:
    """Return every folded spelling of a class (id, name, synonym) with its id."""
    return {
        _folded(spelling): known.name
        for known in classes().values()
        for spelling in (known.name, known.title, *known.synonyms)
    }


@lru_cache(maxsize=4096)
def resolve_class(spelling: str) -> str:
    """Return the id of the class that a spelling stands for; parts joined by ``+`` may come in any order.

    Raises
    ------
    UnknownTherapyClass
        With the nearest names. Baskets of published arms are refused too: a case has one regimen.

    Examples
    --------
    >>> resolve_class("anti-PD-1"), resolve_class("MEK + BRAF"), resolve_class("ctla4+pd1_pdl1")
    ('pd1_pdl1', 'braf+mek', 'pd1_pdl1+ctla4')
    """
    found = resolve_class_for_arm(spelling)
    if class_facts(found).basket:
        raise _unknown(spelling)
    return found


def resolve_class_for_arm(spelling: str) -> str:
    """Return the id of a class, baskets of unlike drugs included. See :func:`resolve_class`."""
    known = spellings()
    whole = known.get(_folded(spelling))
    if whole is not None:
        return whole
    parts = [known.get(_folded(part)) or _single(part.strip()) for part in spelling.split("+")]
    if not all(parts):
        raise _unknown(spelling)
    return combined(single for part in parts for single in classes()[part].parts)


def _unknown(spelling: str) -> UnknownTherapyClass:
    legal = [name for name, known in classes().items() if not known.basket]
    close = dict.fromkeys(spellings()[hit] for hit in nearest(_folded(spelling), spellings()))
    return UnknownTherapyClass(
        f"{seen_text(spelling)} is not a class of the therapy vocabulary",
        allowed=[name for name in close if name in legal] or legal,
        way_out="Give `agents` when they are known.",
    )
