"""Driver vocabulary: the rows of ``driver_alterations.csv``, and which classes are part of which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, cast

from features.vocabulary import cell_list, nearest, table

if TYPE_CHECKING:
    from collections.abc import Mapping

Effect = Literal["driver", "resistance", "driver_and_resistance", "loss", "passenger"]
"""``loss`` drives by losing the gene; ``passenger`` is a curated class that is not a driver (HER2 IHC 0)."""


class UnknownDriverClass(LookupError):
    """A class id that the vocabulary does not have."""


@dataclass(frozen=True, slots=True)
class DriverClass:
    """One row of ``driver_alterations.csv``.

    Attributes
    ----------
    id
        ``BRAF_V600E``.
    gene
        HGNC symbol, "" for a group over genes.
    name
        What a clinician calls it.
    kind
        mutation, fusion, amplification, deletion, expression, or group.
    parents
        Broader classes it is part of.
    level
        ``approved`` (a label names it), ``trial`` or ``biology``.
    """

    id: str
    gene: str
    name: str
    kind: str
    rule: str
    effect: Effect
    parents: tuple[str, ...]
    pathway: str
    level: str
    source: str
    version: str


@lru_cache(maxsize=1)
def classes() -> Mapping[str, DriverClass]:
    """Return every class by id, in file order."""
    return {
        row["id"]: DriverClass(
            id=row["id"],
            gene=row["gene"],
            name=row["alteration_class"],
            kind=row["kind"],
            rule=row["rule"],
            effect=cast("Effect", row["effect"]),
            parents=cell_list(row["parent"]),
            pathway=row["pathway"],
            level=row["level"],
            source=row["source"],
            version=row["version"],
        )
        for row in table("driver_alterations")
    }


def row(class_id: str) -> DriverClass:
    """Return one class by its id.

    Raises
    ------
    UnknownDriverClass
        With the nearest ids.

    Examples
    --------
    >>> row("EGFR_T790M").effect, row("BRAF_V600E").parents
    ('resistance', ('BRAF_V600',))
    """
    found = classes().get(class_id)
    if found is None:
        near = ", ".join(nearest(class_id, classes())) or "none near"
        raise UnknownDriverClass(f"{class_id!r} is no driver class; nearest: {near}")
    return found


@lru_cache(maxsize=1024)
def with_broader(class_id: str) -> tuple[str, ...]:
    """Return a class and all broader ones, the nearest first.

    Examples
    --------
    >>> with_broader("KRAS_G12C")[:3]
    ('KRAS_G12C', 'KRAS_G12', 'KRAS_MUTATION')
    """
    found: dict[str, None] = {class_id: None}
    queue = [class_id]
    while queue:
        for parent in row(queue.pop(0)).parents:
            if parent not in found:
                found[parent] = None
                queue.append(parent)
    return tuple(found)


@lru_cache(maxsize=1024)
def with_narrower(class_id: str) -> frozenset[str]:
    """Return a class and every class that is part of it.

    Examples
    --------
    >>> sorted(with_narrower("NTRK_FUSION"))
    ['NTRK1_FUSION', 'NTRK2_FUSION', 'NTRK3_FUSION', 'NTRK_FUSION']
    """
    return frozenset(one for one in classes() if class_id in with_broader(one))
