"""The artefact: a fitted model as a folder without pickle, clock, run id or path; the same fit gives the same bytes.

    manifest.json        format, digests of every other file, library versions
    features.json        contract of the feature table and what its builders learned
    evidence.json        the evidence term; null when it is switched off
    linear.json          weight of evidence, ridge coefficients, and the centring of every term
    boosted/00.txt ...   LightGBM texts
    calibration.json     a, b and their covariance
    interval.npz         covariance root and the other variances
    applicability.json   thresholds, counts and ranges
    card.json            what the model is, was trained on, and is not for
    selftest.json        invented cases and their answers

Loading needs numpy, lightgbm (if there is a boosted term) and pydantic (to read the self-test's cases).
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import listed
from models.applicability import Applicability
from models.artifact_refusals import FileMissing, NotAnArtifact, UnknownFormat
from models.calibration import AffineCalibration
from models.interval import IntervalVariance
from models.manifest import check_manifest, json_bytes, write_manifest
from models.response import Identity, ResponseModel
from models.selftest import check_self_test, stored_answers
from models.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from models.inputs import FloatArray, TableLike
    from models.response import EvidenceLike

NEEDED = frozenset(
    {
        *("features.json", "evidence.json", "linear.json", "calibration.json", "interval.npz", "applicability.json"),
        *("card.json", "selftest.json"),
    }
)
"""Files of every artefact, the boosters apart."""

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date a zip can hold: entries of interval.npz carry no clock."""


def save_artifact(model: ResponseModel, folder: Path) -> ResponseModel:
    """Write a model into a new or empty folder; return the model with the artefact's digest in its identity.

    Raises
    ------
    NotAnArtifact
        When the folder holds something already: an artefact is never written over.
    """
    if folder.exists() and any(folder.iterdir()):
        raise NotAnArtifact("the folder is not empty", record=folder.name, way_out="Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in _contents(model).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    digest = write_manifest(folder, model.identity.name)
    return replace(model, identity=replace(model.identity, digest=digest))


def _contents(model: ResponseModel) -> dict[str, bytes]:
    boosted = model.terms.boosted
    texts = () if boosted is None else boosted.texts
    return {
        "features.json": json_bytes(model.table.to_dict()),
        "evidence.json": json_bytes(None if model.evidence is None else model.evidence.to_json()),
        "linear.json": json_bytes(model.terms.to_dict()),
        **{f"boosted/{k:02d}.txt": text.encode() for k, text in enumerate(texts)},
        "calibration.json": json_bytes(model.calibration.to_dict()),
        "interval.npz": npz_bytes(_arrays(model.interval)),
        "applicability.json": json_bytes(model.applicability.to_dict()),
        "card.json": json_bytes(dict(model.card)),
        "selftest.json": json_bytes(stored_answers(model)),
    }


def load_artifact(
    folder: Path,
    *,
    digest: str | None = None,
    version: str = "",
    public_key: bytes | None = None,
    table_from: Callable[[Mapping[str, Any]], TableLike] | None = None,
    evidence_from: Callable[[Any], EvidenceLike] | None = None,
) -> ResponseModel:
    """Load a model: manifest, signature and every file are checked, then the self-test is re-scored to 1e-9.

    Parameters
    ----------
    folder
        The artefact.
    digest
        What the pointer says; None skips that one check.
    version
        Registered version, for the model's identity.
    public_key
        Ed25519 public key (PEM); when given, the artefact must be signed with its private half.
    table_from, evidence_from
        How features.json and evidence.json become objects; the served classes when not given.

    Raises
    ------
    ArtifactRefusal
        By its subclasses; see :mod:`models.artifact_refusals`.
    """
    manifest, found = check_manifest(folder, digest, public_key)
    _check_needed(folder, manifest["files"])
    model = _assembled(folder, table_from or _served_table, evidence_from or _served_evidence)
    model = replace(model, identity=Identity(str(manifest["name"]), version, found))
    check_self_test(model, _json(folder, "selftest.json"))
    return model


def _check_needed(folder: Path, listed: Mapping[str, str]) -> None:
    needed = set(NEEDED)
    if "linear.json" in listed:
        boosted = _json(folder, "linear.json")["boosted"]
        needed |= {f"boosted/{k:02d}.txt" for k in range(boosted["boosters"] if boosted else 0)}
    if missing := sorted(needed - set(listed)):
        raise FileMissing(f"{missing[0]} is needed and not listed", record=folder.name, field=missing[0])


def _assembled(
    folder: Path, table_from: Callable[[Mapping[str, Any]], TableLike], evidence_from: Callable[[Any], EvidenceLike]
) -> ResponseModel:
    texts = tuple(path.read_text(encoding="utf-8") for path in sorted((folder / "boosted").glob("*.txt")))
    evidence = _json(folder, "evidence.json")
    return ResponseModel(
        table=table_from(_json(folder, "features.json")),
        evidence=None if evidence is None else evidence_from(evidence),
        terms=Terms.from_dict(_json(folder, "linear.json"), texts),
        calibration=AffineCalibration.from_dict(_json(folder, "calibration.json")),
        interval=_interval(folder),
        applicability=Applicability.from_dict(_json(folder, "applicability.json")),
        card=_json(folder, "card.json"),
    )


def _served_table(stored: Mapping[str, Any]) -> TableLike:
    from features.table import FeatureTable

    return FeatureTable.from_dict(stored)


def _served_evidence(stored: Any) -> EvidenceLike:
    from models.evidence import EvidenceTerm

    return EvidenceTerm.from_json(stored)


def _json(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_bytes())


_NAMED = ("linear_root", "unknown_input", "indicators", "alternatives")
"""The arrays of the interval."""

_DECLARED = ("between_histologies", "between_settings", "untested", "unknown_match")
"""The single numbers of the interval, in the order they are stored."""


def _arrays(interval: IntervalVariance) -> dict[str, FloatArray]:
    return {
        "linear_root": interval.linear_root,
        "unknown_input": interval.unknown_input,
        "indicators": interval.indicators,
        "alternatives": interval.alternatives,
        "declared": np.array([getattr(interval, name) for name in _DECLARED]),
    }


def _interval(folder: Path) -> IntervalVariance:
    with np.load(folder / "interval.npz", allow_pickle=False) as stored:
        if set(stored.files) != {*_NAMED, "declared"} or len(stored["declared"]) != len(_DECLARED):
            raise UnknownFormat(
                f"interval.npz holds {listed(sorted(stored.files))}",
                record=folder.name,
                allowed=(*_NAMED, "declared"),
                way_out="Train it again with this version.",
            )
        arrays = {name: stored[name] for name in _NAMED}
        return IntervalVariance(**arrays, **dict(zip(_DECLARED, stored["declared"].tolist(), strict=True)))


def npz_bytes(arrays: Mapping[str, FloatArray]) -> bytes:
    """Return a .npz whose bytes depend on the arrays alone (numpy's own writer stamps the clock).

    Examples
    --------
    >>> first = npz_bytes({"a": np.zeros(2)})
    >>> first == npz_bytes({"a": np.zeros(2)}), np.load(io.BytesIO(first))["a"].tolist()
    (True, [0.0, 0.0])
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content.getvalue())
    return target.getvalue()
