"""Quantities: numbers with units of UCUM or of the lab's own spelling, turned into the unit of the case.

A unit that is not known, or whose code and text say different things, is not guessed: the value is not used. Molar
masses: haemoglobin monomer 16,114.5 g/mol (IFCC: 1 mmol/L = 1.61145 g/dL); albumin 66,437 g/mol (UniProt P02768).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from features.sources.mcode.plain import number, record, text

if TYPE_CHECKING:
    from collections.abc import Mapping

HEMOGLOBIN_G_PER_DL_OF_MMOL = 1.61145
ALBUMIN_G_PER_DL_OF_UMOL = 66_437e-7

_MASS = {"g/dl": 1.0, "gm/dl": 1.0, "g/100ml": 1.0, "g/l": 0.1, "gm/l": 0.1, "mg/dl": 0.001, "mg/ml": 0.1, "g%": 1.0}
_CELLS = {
    "10*9/l": 1.0,
    "10^9/l": 1.0,
    "10e9/l": 1.0,
    "x10^9/l": 1.0,
    "x10*9/l": 1.0,
    "x10e9/l": 1.0,
    "10exp9/l": 1.0,
    "10*3/ul": 1.0,
    "10^3/ul": 1.0,
    "10e3/ul": 1.0,
    "x10^3/ul": 1.0,
    "x10*3/ul": 1.0,
    "x10e3/ul": 1.0,
    "10*3/mm3": 1.0,
    "10^3/mm3": 1.0,
    "10*3/mm^3": 1.0,
    "k/ul": 1.0,
    "k/mm3": 1.0,
    "k/cumm": 1.0,
    "thou/ul": 1.0,
    "thou/mm3": 1.0,
    "thousand/ul": 1.0,
    "th/ul": 1.0,
    "tsd/ul": 1.0,
    "/nl": 1.0,
    "1/nl": 1.0,
    "g/l": 1.0,
    "{cells}/nl": 1.0,
    "gpt/l": 1.0,
    "giga/l": 1.0,
    "/ul": 0.001,
    "{cells}/ul": 0.001,
    "cells/ul": 0.001,
    "/mm3": 0.001,
    "/cumm": 0.001,
    "cells/mm3": 0.001,
    "10*6/l": 0.001,
    "10^6/l": 0.001,
    "10*3/l": 0.000001,
    "10^3/l": 0.000001,
    "10*12/l": 1000.0,
    "10^12/l": 1000.0,
    "10*6/ul": 1000.0,
    "10^6/ul": 1000.0,
    "/l": 1e-9,
}
_PERCENT = {"%": 1.0, "percent": 1.0, "{percent}": 1.0}
_PER_MEGABASE = (
    "1/1000000{base}",
    "1/10*6.{base}",
    "1/10*6{base}",
    "10*-6/{base}",
    "{mutations}/mb",
    "{mut}/mb",
    "{muts}/mb",
    "{mutations}/{megabase}",
    "mutations/megabase",
    "mut/mb",
    "muts/mb",
    "m/mb",
    "mutations/mb",
    "mutation/mb",
    "mutationspermegabase",
    "variants/mb",
    "/mb",
    "1/mb",
    "{#}/mb",
    "somaticvariantspermegabaseofsequenceddna",
    "mutations/megabases",
    "mut/megabase",
    "mutationen/mb",
    "mutationen/megabase",
    "mutations/mbp",
    "{mutations}/mbp",
)

DIMENSIONS: dict[str, dict[str, float]] = {
    "albumin": {**_MASS, "umol/l": ALBUMIN_G_PER_DL_OF_UMOL},
    "hemoglobin": {**_MASS, "mmol/l": HEMOGLOBIN_G_PER_DL_OF_MMOL},
    "cells": _CELLS,
    "percent": _PERCENT,
    "fraction": {
        "%": 0.01,
        "percent": 0.01,
        "{percent}": 0.01,
        "1": 1.0,
        "{fraction}": 1.0,
        "decimal": 1.0,
        "{ratio}": 1.0,
        "relativefrequencyofaparticularalleleinthespecimen": 1.0,
        "fraction": 1.0,
    },
    "mut/mb": dict.fromkeys(_PER_MEGABASE, 1.0),
    "enzyme": {
        "u/l": 1.0,
        "iu/l": 1.0,
        "[iu]/l": 1.0,
        "[u]/l": 1.0,
        "ukat/l": 59.988,
        "ku/l": 1000.0,
        "nkat/l": 0.059988,
    },
    "bmi": {"kg/m2": 1.0, "kg/m^2": 1.0, "kg/m**2": 1.0, "kg/m²": 1.0},
    "years": {"a": 1.0, "y": 1.0, "yr": 1.0, "yrs": 1.0, "year": 1.0, "years": 1.0, "jahre": 1.0},
    "score": {"1": 1.0, "{score}": 1.0, "{scoreof}": 1.0, "score": 1.0, "": 1.0, "{ecog_score}": 1.0, "grade": 1.0},
    "points": {"1": 1.0, "{score}": 1.0, "{cps}": 1.0, "score": 1.0, "": 1.0},
    "copies": {
        "1": 1.0,
        "": 1.0,
        "{copies}": 1.0,
        "copies": 1.0,
        "{copy}": 1.0,
        "{copynumber}": 1.0,
        "copy": 1.0,
        "{#}": 1.0,
    },
}
"""Of every dimension: the spellings of its units (folded) and the factor to the unit of the case."""


class Measured(NamedTuple):
    """A quantity as read.

    Attributes
    ----------
    value
        In the unit of the case; None when it cannot be used.
    problem
        Code of the finding that says why, or "".
    seen
        The quantity as written, for a message.
    factor
        By which the written number was multiplied.
    comparator
        ``<``, ``<=``, ``>=``, ``>`` or "".
    """

    value: float | None
    problem: str
    seen: str
    factor: float = 1.0
    comparator: str = ""


@lru_cache(maxsize=2048)
def folded(unit: str) -> str:
    """Return a unit without spaces and case; micro is always ``u``.

    Examples
    --------
    >>> folded("10*3/\u00b5L"), folded("Mutations/Megabase")
    ('10*3/ul', 'mutations/megabase')
    """
    bare = "".join(unit.split()).casefold().replace("\u03bc", "u").replace("\u00b5", "u")
    return bare.replace("mcl", "ul").replace("mcmol", "umol")


def measure(quantity: object, dimension: str) -> Measured:
    """Read a Quantity into the unit that the case has for the dimension.

    Examples
    --------
    >>> measure({"value": 39, "code": "g/L", "unit": "g/L"}, "albumin").value
    3.9
    >>> measure({"value": 3.9, "unit": "stone"}, "albumin").problem
    'unit_not_understood'
    """
    body = record(quantity)
    value, code, unit = number(body.get("value")), text(body.get("code")), text(body.get("unit"))
    seen = f"{text(body.get('comparator'))}{body.get('value')!s:.20} {unit or code}".strip()
    if value is None:
        return Measured(None, "no_value", seen)
    comparator = text(body.get("comparator"))
    if comparator:
        return Measured(_scaled(value, factor_of(code, unit, dimension)), "comparator", seen, comparator=comparator)
    factor = factor_of(code, unit, dimension)
    if factor is None:
        return Measured(None, "unit_not_understood", seen)
    return Measured(_scaled(value, factor), "", seen, factor)


def factor_of(code: str, unit: str, dimension: str) -> float | None:
    """Return the factor of a unit, None when it is unknown or its code and its text differ."""
    known: Mapping[str, float] = DIMENSIONS[dimension]
    by_code, by_unit = known.get(folded(code)), known.get(folded(unit))
    if code and unit and by_code is not None and by_unit is not None and by_code != by_unit:
        return None
    if code:
        return by_code if by_code is not None else (by_unit if unit and folded(code) not in _SAYS_OTHERWISE else None)
    return by_unit


_SAYS_OTHERWISE = frozenset(unit for known in DIMENSIONS.values() for unit in known if unit)
"""Codes that are units of something: beside such a code, a text that says another unit does not count."""


def _scaled(value: float, factor: float | None) -> float | None:
    """Multiply, and take away the dust of binary fractions: 39 g/L is 3.9 g/dL."""
    if factor is None:
        return None
    return value if factor == 1.0 else float(f"{value * factor:.12g}")
