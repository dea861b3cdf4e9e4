"""BulkAsked: which predictions the page of explanations is about, as its address says it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import numpy as np

from features.errors import seen_text
from serving.pages.log_query import LONGEST, Asked, FilterRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serving.pages.contribution_cube import ContributionCube
    from serving.pages.log_columns import LogColumns

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")

SUBGROUPS = {"therapy_class": "therapy class", "tissue": "tissue", "version": "model version"}
"""What explanations can be split by, and how it is called."""


@dataclass(frozen=True)
class BulkAsked:
    """Months (``until`` not included), version, therapy class, tissue; a feature to look at; subgroups by what."""

    since: str | None = None
    until: str | None = None
    version: str | None = None
    therapy_class: str | None = None
    tissue: str | None = None
    feature: str | None = None
    by: str = "therapy_class"

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Self:
        """Read the parameters of an address; FilterRefused for what is none of them.

        Examples
        --------
        >>> BulkAsked.read({"since": "2026-10", "until": "2026-11"}).address(version="m/1")
        'since=2026-10&until=2026-11&version=m%2F1'
        """
        known = {one.name for one in fields(cls)}
        for name, value in parameters.items():
            if name not in known:
                raise FilterRefused(f"{seen_text(name)} is no filter", allowed=sorted(known))
            if name in ("since", "until") and not _MONTH.fullmatch(value):
                raise FilterRefused(f"{seen_text(value)} is no month", field=name, way_out="Write it as 2026-11.")
            if (name == "by" and value not in SUBGROUPS) or len(value) > LONGEST:
                raise FilterRefused(f"{seen_text(value)} cannot be asked for", field=name, allowed=list(SUBGROUPS))
        return cls(**parameters)

    def address(self, **changes: Any) -> str:
        """Return these parameters as a query string, with changes."""
        changed = replace(self, **changes)
        usual = {one.name: one.default for one in fields(changed)}
        pairs = [(name, getattr(changed, name)) for name in usual]
        return urlencode([(name, value) for name, value in pairs if value not in (None, usual[name])])

    def listed(self, **more: Any) -> Asked:
        """Return the filter of the list of predictions that finds the same predictions."""
        same = {name: getattr(self, name) for name in ("since", "until", "version", "therapy_class")}
        return Asked(**same, histology=self.tissue, **more)

    def cells(self, cube: ContributionCube, columns: LogColumns) -> NDArray[np.bool_]:
        """Return the cells of the cube that are asked for."""
        month, version, therapy, tissue = cube.keys().T
        mask = np.ones(len(month), dtype=np.bool_)
        if self.since is not None:
            mask &= month >= month_number(self.since)
        if self.until is not None:
            mask &= month < month_number(self.until)
        for codes, column, name in (
            (columns.codes["version"], version, self.version),
            (columns.codes["therapy_class"], therapy, self.therapy_class),
            (cube.tissues, tissue, self.tissue),
        ):
            if name is not None:
                mask &= column == codes.known(name)
        return mask


def month_number(month: str) -> int:
    """Return ``2026-11`` as the cube counts months."""
    return 12 * int(month[:4]) + int(month[5:7]) - 1


def following(month: str) -> str:
    """Return the month after a month.

    Examples
    --------
    >>> following("2026-12")
    '2027-01'
    """
    number = month_number(month) + 1
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
