"""From records of the log to rows of the columns: predictions add rows, events and erasures change them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from pydantic_core import from_json

from features.contract import GROUPS
from features.errors import Refusal
from serving.audit.sealing import binding, unseal, unwrap
from serving.audit.tables import DATA_KEYS, RECORDS
from serving.pages.contribution_cube import ContributionCube, month_of
from serving.pages.log_columns import DECISIONS, KINDS, STATUSES, UNKNOWN, LogColumns
from serving.pages.sign_rules import SignRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.audit.database import Database
    from serving.audit.keys import AuditKeys
    from serving.audit.reading import Row
    from serving.audit.replay import Artefacts

LONGEST_FINDING = 60
"""Characters kept of an alteration's text."""

EVENTS = ("outcome", "decision", "review")
"""Kinds of records that change the row of a prediction; rankings and feedback do not."""
ANSWERS = ("prediction", "shadow")
"""Kinds of records that are a row each."""


@dataclass
class Reading:
    """Columns and cube under way, and what is needed to read further records into them."""

    database: Database
    keys: AuditKeys
    artefacts: Artefacts
    columns: LogColumns = field(default_factory=LogColumns)
    cube: ContributionCube = field(default_factory=ContributionCube)
    _rules: dict[str, SignRules | None] = field(default_factory=dict)

    def take(self, most: int) -> int:
        """Read at most so many further records; return how many there were."""
        query = sa.select(RECORDS).where(RECORDS.c.seq > self.columns.covered).order_by(RECORDS.c.seq).limit(most)
        with self.database.reading() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        if not rows:
            return 0
        keys = self._keys_of([row["seq"] for row in rows])
        self._add([_Read.of(row, keys.get(row["seq"]), self.keys) for row in rows if row["kind"] in ANSWERS])
        self._change([row for row in rows if row["kind"] in (*EVENTS, "erasure")], keys)
        self.columns.covered, self.columns.last_hash = rows[-1]["seq"], rows[-1]["hash"]
        return len(rows)

    def _keys_of(self, seqs: Sequence[int]) -> dict[int, Row]:
        """Return the wrapped keys of records; those of erased ones are gone."""
        query = sa.select(DATA_KEYS).where(DATA_KEYS.c.seq.in_(seqs))
        with self.database.reading() as connection:
            return {row["seq"]: dict(row) for row in connection.execute(query).mappings()}

    def _add(self, read: Sequence[_Read]) -> None:
        rows, findings = [], []
        for one in read:
            judged, disagrees = self._judged(one)
            rows.append(_row(one, self.columns, judged, disagrees))
            findings.append([self.columns.codes["alteration"].of(text) for text in alterations_of(one.request)])
        self.columns.append(rows, findings)
        counted = [one for one in read if kind_of(one.row) == "prediction" and one.row["status"] == "predicted"]
        keys = [self._cell(one.row) for one in counted]
        self.cube.add(keys, [one.groups for one in counted], [one.contributions for one in counted])

    def _cell(self, row: Row) -> tuple[int, int, int, int]:
        codes = self.columns.codes
        tissue = self.cube.tissues.of((row["lineage"] or "unknown").rpartition("/")[2])
        version, therapy = codes["version"].of(version_of(row)), codes["therapy_class"].of(row["therapy_class"])
        return month_of(row["time"]), version, therapy, tissue

    def _judged(self, one: _Read) -> tuple[list[str], list[str]]:
        rules = self._rules_of(one.row)
        return ([], []) if rules is None else rules.judge(one.features, one.contributions)

    def _rules_of(self, row: Row) -> SignRules | None:
        digest = row["model_digest"]
        if digest not in self._rules:
            try:
                model = self.artefacts.of(digest, row["model_version"])
            except Refusal:  # an artefact that this code cannot read any more: its answers are not judged
                model = None
            self._rules[digest] = None if model is None else SignRules.of(model)
        return self._rules[digest]

    def _change(self, later: Sequence[Row], keys: Mapping[int, Row]) -> None:
        seqs = self._seqs([str(row["about"]) for row in later if row["kind"] in EVENTS])
        for row in later:
            if row["kind"] == "erasure":
                self._erase(row)
                continue
            rows = self.columns.rows_of([seqs[row["about"]]] if row["about"] in seqs else [])
            for name, value in self._said(row, erased=row["seq"] not in keys).items():
                self.columns[name][rows] = value

    def _seqs(self, record_ids: Sequence[str]) -> dict[str, int]:
        query = sa.select(RECORDS.c.record_id, RECORDS.c.seq).where(RECORDS.c.record_id.in_(record_ids))
        with self.database.reading() as connection:
            return {str(name): int(seq) for name, seq in connection.execute(query)} if record_ids else {}

    def _said(self, row: Row, erased: bool) -> dict[str, int]:
        """Return what an event changes; the latest of a kind counts."""
        codes = self.columns.codes
        if row["kind"] == "outcome":
            unknown = erased or row["responded"] is None
            return {"outcome": UNKNOWN if unknown else row["responded"]}
        if row["kind"] == "review":
            return {"review": codes["review"].of(row["status"])}
        reason = next(iter(from_json(row["reasons"] or "[]")), None)
        return {"decision": DECISIONS.index(row["status"]), "override": codes["override"].of(reason)}

    def _erase(self, row: Row) -> None:
        name = "patient" if row["patient_ref"] else "case"
        theirs = self.columns[name] == digest_number(row[f"{name}_ref"])
        self.columns.blank(np.flatnonzero(theirs & (self.columns["seq"] < row["seq"])))


@dataclass(frozen=True)
class _Read:
    """One prediction, its JSON columns and payload taken apart; an erased one has no request and no features."""

    row: Row
    request: Mapping[str, Any]
    features: Mapping[str, float | None]
    groups: dict[str, float]
    contributions: dict[str, float]
    erased: bool

    @classmethod
    def of(cls, row: Row, wrapped: Row | None, keys: AuditKeys) -> _Read:
        groups = {str(group): row[f"phi_{group}"] for group in GROUPS if row[f"phi_{group}"] is not None}
        contributions = from_json(row["contributions"] or "{}")
        if wrapped is None:
            return cls(row, {}, {}, groups, contributions, True)
        bound_to = binding(row["record_id"], row["case_ref"], row["patient_ref"])
        key = unwrap(wrapped["wrapped"], wrapped["key_id"], bound_to, keys.data)
        request, features = request_and_features(unseal(row["payload"], key, bound_to))
        return cls(row, request, features, groups, contributions, False)


def _row(one: _Read, columns: LogColumns, judged: list[str], disagrees: list[str]) -> dict[str, Any]:
    row, codes = one.row, columns.codes
    numbers = {name: np.nan if row[name] is None else row[name] for name in ("probability", "low", "high")}
    coded = {name: codes[name].of(row[name]) for name in ("family", "therapy_class", "lineage", "caller")}
    flags = {name: codes[name].flags(from_json(row[name] or "[]")) for name in ("warnings", "reasons")}
    refs = {name: digest_number(row[f"{name}_ref"]) for name in ("case", "patient")}
    return {
        "seq": row["seq"],
        "time": microseconds(row["time"]),
        **numbers,
        "groups": [one.groups.get(group, np.nan) for group in GROUPS],
        "kind": KINDS.index(kind_of(row)),
        "status": STATUSES.index(row["status"]),
        "version": codes["version"].of(version_of(row)),
        **coded,
        **flags,
        "judged": codes["features"].flags(judged),
        "disagrees": codes["features"].flags(disagrees),
        "outcome": UNKNOWN,
        "decision": 0,
        "override": UNKNOWN,
        "review": UNKNOWN,
        "erased": one.erased,
        "request": digest_number(row["request_digest"]),
        **refs,
    }


def request_and_features(payload: bytes) -> tuple[Mapping[str, Any], Mapping[str, float | None]]:
    """Return the two parts of a payload that columns need, without reading the answer between them, which is long.

    A quotation mark inside a text is escaped, and neither a case nor the features have a key of these names, so the
    first and the last of them are the payload's own.

    Examples
    --------
    >>> request_and_features(b'{"request":{"histology":"LUAD"},"answer":{"text":"..."},"features":{"a":1.0}}')
    ({'histology': 'LUAD'}, {'a': 1.0})
    """
    end, start = payload.find(_ANSWER), payload.rfind(_FEATURES)
    if not payload.startswith(_REQUEST) or end < 0 or start < end:
        whole = from_json(payload)  # of another order than the log's own drafts have
        return whole["request"], whole.get("features", {})
    return from_json(payload[len(_REQUEST) : end]), from_json(payload[start + len(_FEATURES) : -1])


_REQUEST, _ANSWER, _FEATURES = b'{"request":', b',"answer":', b',"features":'


def version_of(row: Row) -> str:
    """Return name and version of the model that answered, as addresses write it: ``checkpoint-response/3``."""
    return f"{row['model_name']}/{row['model_version']}"


def microseconds(time: str) -> int:
    """Return a record's time in microseconds since 1970.

    Examples
    --------
    >>> microseconds("1970-01-01T00:00:01.000000Z")
    1000000
    """
    return int(np.datetime64(time.rstrip("Z"), "us").astype(np.int64))


def digest_number(ref: str | None) -> int:
    """Return a pseudonym as a number that fits a column; 0 for none. Equal pseudonyms, equal numbers."""
    if ref is None:
        return 0
    return int.from_bytes(hashlib.sha256(ref.encode()).digest()[:8], "big", signed=True)


def kind_of(row: Row) -> str:
    """Return what a row is: a prediction that was asked for, one of a ranking's list, or a challenger's answer.

    Examples
    --------
    >>> kind_of({"kind": "prediction", "about": None}), kind_of({"kind": "prediction", "about": "a ranking"})
    ('prediction', 'listed')
    """
    return "listed" if row["kind"] == "prediction" and row["about"] else str(row["kind"])


def alterations_of(request: Mapping[str, Any]) -> list[str]:
    """Return the findings of a logged case that are present, as filters name them, each once.

    Examples
    --------
    >>> alterations_of({"alterations": [{"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E"},
    ...                                 {"gene": "ALK", "kind": "fusion", "partner": "EML4"}]})
    ['BRAF p.V600E', 'ALK fusion']
    """
    listed = [*(request.get("alterations") or [])]
    for specimen in request.get("specimens") or []:
        listed += specimen.get("alterations") or []
    found = (_finding(one) for one in listed if one.get("status", "present") == "present")
    return list(dict.fromkeys(found))


def _finding(one: Mapping[str, Any]) -> str:
    detail = one.get("protein_change") if one["kind"] == "mutation" else one["kind"]
    return f"{one['gene']} {detail or one['kind']}"[:LONGEST_FINDING]
