"""Promotion: gate, alias in the registry, artefact into the folder that the service reads."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.config import GateSettings
from experiments.gate import GateVerdict, decide
from experiments.settings_reader import read_settings
from features.errors import Refusal, listed, seen_text
from models.pointer import CHALLENGERS, Pointer, models_folder
from models.pointer import promote as point
from training.tracking import CHALLENGER, CHAMPION, fetch, find_version, set_alias, store_uri

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

DEMO = ".demo"
"""The only place where a synthetic model may be champion: a folder of this name."""


class GateRefused(Refusal):
    """The gate does not let a model become champion."""

    code = "gate_refused"
    exit_code = 4


class UnknownAlias(Refusal):
    """A model is promoted as champion or as challenger, nothing else."""

    code = "unknown_alias"


class SyntheticChampion(Refusal):
    """A synthetic model never takes alias ``champion`` outside the demo."""

    code = "synthetic_champion"
    exit_code = 4


@dataclass(frozen=True)
class Promotion:
    """What was promoted, and what the gate said."""

    pointer: Pointer
    verdict: GateVerdict
    forced: bool


def promote(
    name: str,
    version: str = CHALLENGER,
    *,
    alias: str = CHAMPION,
    force: bool = False,
    why: str = "",
    models: Path | None = None,
) -> Promotion:
    """Promote a registered version: gate, alias, then the artefact into ``$ORP_MODELS``.

    Parameters
    ----------
    name, version
        Registered name; a version number or an alias.
    alias
        ``champion`` is what the service serves; a ``challenger`` answers in shadow.
    force, why
        Promote against the gate's verdict; the reason is required and recorded on the version.
    models
        The folder of promoted models; ``$ORP_MODELS`` or ``./served-models`` when not given, and its folder
        ``challengers`` for a challenger.

    Raises
    ------
    RunNotFound, GateRefused, UnknownAlias, SyntheticChampion, PromotionRefused
    """
    found = find_version(name, version)
    target = place_of(alias, models)
    _refuse_synthetic(found, alias, target)
    if force and not why:
        raise GateRefused("a forced promotion needs its reason", record=name, way_out="Add --why TEXT.")
    with tempfile.TemporaryDirectory() as held:
        place = Path(held)
        verdict = _verdict(found, place)
        if verdict.verdict != "passed" and not force:
            raise _refusal(found, verdict)
        pointer = point(fetch(found, "artefact", place), target, name, str(found.version), alias)
    tags = {"gate.verdict": verdict.verdict, **({"gate.forced_why": why} if force else {})}
    set_alias(name, alias, str(found.version), tags)
    return Promotion(pointer, verdict, force)


def place_of(alias: str, models: Path | None) -> Path:
    """Return where a model of this alias is put; a challenger never stands where the served models are."""
    if alias not in (CHAMPION, CHALLENGER):
        raise UnknownAlias(
            f"{seen_text(alias)} is nothing that the service looks for", field="alias", allowed=(CHAMPION, CHALLENGER)
        )
    if models is None and alias == CHALLENGER:
        return models_folder() / CHALLENGERS
    return models_folder(models)


def _refuse_synthetic(found: ModelVersion, alias: str, target: Path) -> None:
    synthetic = found.tags.get("synthetic") == "true"
    in_demo = DEMO in target.absolute().parts and f"/{DEMO}/" in store_uri()
    if synthetic and alias == CHAMPION and not in_demo:
        raise SyntheticChampion(
            f"version {found.version} was trained on synthetic cases; nothing outside {DEMO}/ serves it as {CHAMPION}",
            record=found.name,
            way_out="Run `oncorespond demo`, or train on patients.",
        )


def _verdict(found: ModelVersion, place: Path) -> GateVerdict:
    tables = fetch(found, "tables", place)
    experiment = json.loads((tables / "experiment.json").read_text(encoding="utf-8"))
    rows = json.loads((tables / "evaluation.json").read_text(encoding="utf-8"))
    found = tables / "checks.json"
    checks = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else {}
    return decide(rows, read_settings(GateSettings, experiment["gate"], "gate"), checks)


def _refusal(found: ModelVersion, verdict: GateVerdict) -> GateRefused:
    return GateRefused(
        f"the gate says of version {found.version}: {verdict.verdict}: {listed(verdict.reasons)}",
        record=found.name,
        way_out="Mend the model, or say --force --why TEXT, which is recorded.",
    )
