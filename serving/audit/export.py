"""Export of the log, for analysts: clear columns, and on demand values without anything that names a person.

Free text never leaves in bulk: notes are left out, and so is every text field of a case whose content is not of a known
form. Ages over 89 are written ``90+``. Ids are pseudonyms.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from features import genes, panels
from features.contract import GROUPS
from features.errors import UnreadableAlteration
from features.variant_classification import kind_of_classification
from serving.audit.reading import in_order, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serving.audit.database import Database
    from serving.audit.keys import AuditKeys
    from serving.audit.reading import Logged, Row

OLDEST_SHOWN = 89
"""Years; HIPAA's Safe Harbor (45 CFR 164.514(b)(2)(i)(C)) has all ages over 89 in one class."""

PROTEIN = re.compile(
    r"(p\.)?\(?[A-Z*][a-z]{0,2}\d{1,5}(_[A-Z*][a-z]{0,2}\d{1,5})?"
    r"(=|del|dup|(del)?ins[A-Z*]{1,30}|([A-Z*][a-z]{0,2})?(fs(\*\d{1,4}|Ter\d{1,4})?)?|_splice)?\)?"
)
"""HGVS protein changes as they are reported, one letter or three; anything else is taken for free text."""

CODING = re.compile(
    r"(c\.)?[-*]?\d{1,6}([+-]\d{1,5})?(_\d{1,6}([+-]\d{1,5})?)?([ACGT]{1,30}>[ACGT]{1,30}|(del|dup|ins)[ACGT]{0,60})+"
)
"""HGVS coding changes."""

JSON_COLUMNS = ("reasons", "warnings", "contributions")
GROUP_COLUMNS = {f"phi_{group}": group for group in GROUPS}


def _known_panel(text: str) -> bool:
    return panels.find(text) is not None


def _known_gene(text: str) -> bool:
    return genes.row(text) is not None


def _known_classification(text: str) -> bool:
    try:
        return all(kind_of_classification(word) for word in re.split("[,&]", text))
    except UnreadableAlteration:
        return False


FREE_TEXT: dict[str, Callable[[str], object]] = {
    "case_id": lambda _: True,  # a pseudonym in the log
    "patient_id": lambda _: True,
    "race": lambda _: False,
    "panel": _known_panel,
    "partner": _known_gene,
    "protein_change": PROTEIN.fullmatch,
    "cdna_change": CODING.fullmatch,
    "variant_classification": _known_classification,
}
"""Text fields of a case, and whether a text of theirs is of a known form and may be exported; a test lists them all."""


def exported(database: Database, keys: AuditKeys | None, values: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one object per record, in order.

    Parameters
    ----------
    values
        Also open the payloads: ``case`` and ``event``, made safe as this module says; needs keys.
    """
    for block in in_order(database):
        if values and keys is not None:
            yield from ({**_clear(one.row), **_values(one)} for one in opened(database, block, keys))
        else:
            yield from map(_clear, block)


def _clear(row: Row) -> dict[str, Any]:
    left_out = {"payload", "once", "once_digest", *JSON_COLUMNS, *GROUP_COLUMNS}
    clear = {name: value for name, value in row.items() if name not in left_out}
    groups = {group: row[name] for name, group in GROUP_COLUMNS.items() if row[name] is not None}
    lists = {name: json.loads(row[name]) if row[name] else None for name in JSON_COLUMNS}
    return {**clear, **lists, "groups": groups or None}


def _values(logged: Logged) -> dict[str, Any]:
    if logged.payload is None:
        return {"case": None, "event": None, "erased": True}
    event = logged.payload.get("event")
    request = logged.payload.get("request")
    return {
        "case": None if request is None else safe_case(request),
        "event": None if event is None else {name: value for name, value in event.items() if name != "note"},
        "erased": False,
    }


def safe_case(case: dict[str, Any]) -> dict[str, Any]:
    """Return a logged case without free text, and with high ages as one class.

    Examples
    --------
    >>> safe_case({"patient": {"age_years": 93, "race": "as told"}, "assay": {"panel": "Mrs. Miller's"}})
    {'patient': {'age_years': '90+'}, 'assay': {}}
    """
    return {name: _safe(name, value) for name, value in case.items() if _may_leave(name, value)}


def _may_leave(name: str, value: Any) -> bool:
    return not isinstance(value, str) or name not in FREE_TEXT or bool(FREE_TEXT[name](value))


def _safe(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return safe_case(value)
    if isinstance(value, list):
        return [_safe(name, one) for one in value]
    if name == "age_years" and value > OLDEST_SHOWN:
        return f"{OLDEST_SHOWN + 1}+"
    return value
