"""Replay: an answer of the log computed again, with the artefact of its digest, and compared to 1e-12."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from features.case import read_case
from features.errors import Refusal
from features.from_cases import batch_of
from models.answer import answer_of
from models.artifact import load_artifact
from models.manifest import MANIFEST, digest_of
from models.pointer import CHALLENGERS
from serving.audit.auditor import PREDICTIONS
from serving.audit.reading import in_order, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from models.response import ResponseModel
    from serving.audit.database import Database
    from serving.audit.keys import AuditKeys
    from serving.audit.reading import Logged

TOLERANCE = 1e-12
"""Log-odds or probability by which a replayed number may differ: rounding of sums in another order, and no more."""

ResultOfReplay = Literal["equal", "different", "erased", "no_artefact", "unreadable"]


@dataclass(frozen=True)
class Replayed:
    """What became of one prediction.

    Attributes
    ----------
    result
        ``equal`` or ``different``; or why it could not be replayed.
    largest
        Largest difference of any number.
    differs
        Which parts of the answer differ, such as ``contributions.tmb_mut_per_mb``.
    """

    record_id: str
    seq: int
    result: ResultOfReplay
    largest: float = 0.0
    differs: tuple[str, ...] = ()


@dataclass
class Artefacts:
    """Artefacts by digest, found in the folders that hold promoted ones and challengers, each loaded once."""

    folders: Sequence[Path]
    _loaded: dict[str, ResponseModel | Refusal | None] = field(default_factory=dict)

    def of(self, digest: str, version: str) -> ResponseModel | None:
        """Return the model of a digest, its files and self-test checked; None when no folder has it.

        Raises
        ------
        Refusal
            When the artefact cannot be loaded by this version of the code, or is not what its manifest says.
        """
        if digest not in self._loaded:
            try:
                self._loaded[digest] = self._found(digest, version)
            except Refusal as refusal:
                self._loaded[digest] = refusal
        found = self._loaded[digest]
        if isinstance(found, Refusal):
            raise found
        return found

    def _found(self, digest: str, version: str) -> ResponseModel | None:
        for folder in self.folders:
            for manifest in sorted((*folder.glob(f"*/{MANIFEST}"), *folder.glob(f"{CHALLENGERS}/*/{MANIFEST}"))):
                if digest_of(manifest.read_bytes()) == digest:
                    return load_artifact(manifest.parent, digest=digest, version=version)
        return None


def replay_all(database: Database, keys: AuditKeys, artefacts: Artefacts) -> Iterator[Replayed]:
    """Replay every prediction and shadow answer of the log, in order."""
    for block in in_order(database, PREDICTIONS):
        for logged in opened(database, block, keys):
            yield replayed(logged, artefacts)


def replayed(logged: Logged, artefacts: Artefacts) -> Replayed:
    """Replay one prediction."""
    row = logged.row
    record_id, seq = row["record_id"], row["seq"]
    if logged.payload is None:
        return Replayed(record_id, seq, "erased")
    try:
        model = artefacts.of(row["model_digest"], row["model_version"])
        case = read_case(logged.payload["request"])
    except Refusal as refusal:  # format or vocabulary moved on: what could be read then cannot be read now
        return Replayed(record_id, seq, "unreadable", differs=(refusal.code,))
    if model is None:
        return Replayed(record_id, seq, "no_artefact")
    answer = answer_of(model.answers(batch_of([case])), 0, record_id)
    largest, differs = difference(parts(logged.answer), parts(answer))
    return Replayed(record_id, seq, "different" if differs else "equal", largest, tuple(differs))


def parts(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an answer must be equal: status, codes and every number, by name."""
    found = {name: answer[name] for name in ("status", "probability", "log_odds", "base_log_odds")}
    found |= {f"interval.{name}": value for name, value in (answer["interval"] or {}).items()}
    found |= {f"groups.{name}": value for name, value in answer["groups"].items()}
    found |= {f"contributions.{one['feature']}": one["log_odds"] for one in answer["contributions"]}
    for kind in ("reasons", "warnings"):
        found[kind] = [one["code"] for one in answer[kind]]
    return found


def difference(logged: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[float, list[str]]:
    """Return the largest difference of a number, and the names of what differs.

    Examples
    --------
    >>> difference({"status": "predicted", "probability": 0.5}, {"status": "predicted", "probability": 0.75})
    (0.25, ['probability'])
    """
    largest, differs = 0.0, []
    for name in dict.fromkeys([*logged, *now]):
        before, after = logged.get(name), now.get(name)
        if isinstance(before, float) and isinstance(after, float):
            largest = max(largest, abs(before - after))
            if not abs(before - after) <= TOLERANCE:
                differs.append(name)
        elif before != after or (name in logged) != (name in now):
            differs.append(name)
    return largest, differs
