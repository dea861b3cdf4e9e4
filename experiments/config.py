"""An experiment file: the prediction question, the cohorts, the terms of the equation, how it is judged.

One YAML file, one experiment. The question comes first because everything else follows from it: who, which therapy,
which outcome by when, seen from which date, with what known then.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from experiments.config_checks import refuse_terms_twice, refuse_too_few, refuse_unknown_names
from experiments.settings_reader import WrongSetting, overridden, read_settings
from features.errors import Refusal
from models.settings import ResponseSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY_COMPARATOR = (
    "base_rate",
    "histology_base_rate",
    "tmb_alone",
    "tmb_10_or_more",
    "msi_high_or_tmb_10",
    "pdl1_alone",
    "loris_pan_cancer",
    "loris_nsclc",
    "loris_recalibrated",
    "loris_inputs",
    "plain_logistic",
    "default_lightgbm",
)
"""Rivals of design/protocol.md, in the order of the tables; ``loris_inputs`` is our model on LORIS's six inputs."""


Further = Literal[
    "internal_external",
    "histologies_out",
    "classes_out",
    "control_arm",
    "survival",
    "ablation",
    "learning_curve",
    "permutations",
]
"""What may be asked for beside the resampling (``evaluation.also``, ``--with``)."""


class ExperimentNotFound(Refusal):
    """An experiment file that is not there."""

    code = "experiment_not_found"


@dataclass(frozen=True)
class Question:
    """The prediction question, in words, and the one word the software acts on: the endpoint.

    Attributes
    ----------
    patients, therapy, outcome, index_date, known_then
        Sentences for people; they go into the model card as they stand.
    endpoint
        ``orr``, ``dcb``, ``shrinkage30`` or ``pcr``; cohorts of another endpoint are refused.
    """

    patients: str
    therapy: str
    endpoint: Literal["orr", "dcb", "shrinkage30", "pcr"]
    outcome: str
    index_date: str
    known_then: str


@dataclass(frozen=True)
class CohortSettings:
    """Which cohorts are fitted on, which are only ever scored; ids or folders.

    Attributes
    ----------
    development, external
        Ids found in ``$ORP_COHORTS`` or ``./cohorts``, or paths of folders.
    overlap
        How probable same patients of development and external are handled: ``refuse`` stops the experiment,
        ``remove_from_training`` leaves them out of the fit, ``accept`` says so in the report (give ``overlap_reason``).
    synthetic_cases
        Cases drawn of an embedded synthetic cohort (``synthetic-checkpoint-development-7``) that is not on disk.
    histologies
        OncoTree codes: only cases with one of them in their lineage (``[NSCLC]``) are kept; none named: all.
    published_arms
        Weight of published arms as rows beside the patients, as a multiple of the patients' own; 0 leaves them to the
        evidence term alone.
    """

    development: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    overlap: Literal["refuse", "remove_from_training", "accept"] = "refuse"
    overlap_reason: str = ""
    synthetic_cases: int = 2000
    histologies: tuple[str, ...] = ()
    published_arms: float = 0.0


@dataclass(frozen=True)
class TermSettings:
    """Which terms of the equation are on; one that does not earn its place is switched off here, not in code."""

    evidence: bool = True
    linear: bool = True
    boosted: bool = False


@dataclass(frozen=True)
class FeatureSettings:
    """``leave_out`` names builders of the feature table that this experiment does without."""

    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResamplingSettings:
    """Repeated stratified cross-validation, grouped by patient. 0 repeats skip it (then nothing is promoted)."""

    repeats: int = 10
    folds: int = 5
    seed: int = 2026


@dataclass(frozen=True)
class ControlSettings:
    """Two groups of patients that are both scored as if given one therapy (evaluation only); ids of cohorts.

    ``as_if_given`` is a regimen: agents joined by ``+``, or ``class:`` and a class.
    """

    treated: str
    control: str
    as_if_given: str


@dataclass(frozen=True)
class EvaluationSettings:
    """How the forecasts are judged: bootstrap resamples, seed, the rivals in the tables, and what else is asked.

    Attributes
    ----------
    also
        ``internal_external`` leaves each development cohort out; ``histologies_out`` and ``classes_out`` each main
        histology and therapy class; ``control_arm`` scores a control arm as if treated, ``survival`` patients of whom
        only survival is known; ``ablation`` judges every combination of terms; ``learning_curve`` fits on growing
        shares of the patients; ``permutations`` gives the null of the
        within-histology AUROC, which the gate asks for. Each costs further fits.
    local_outcomes, local_draws
        Outcomes that a left-out or external cohort updates the intercept on, and how often they are drawn.
    permutations
        Refits with permuted outcomes.
    control_arm, survival
        Which patients; needed where ``also`` asks for them.
    """

    bootstraps: int = 2000
    seed: int = 2026
    comparators: tuple[str, ...] = EVERY_COMPARATOR
    also: tuple[Further, ...] = ()
    local_outcomes: int = 20
    local_draws: int = 50
    permutations: int = 20
    control_arm: ControlSettings | None = None
    survival: ControlSettings | None = None


@dataclass(frozen=True)
class GateSettings:
    """The promotion rule of design/protocol.md, on development resampling; every bound may be made stricter here.

    Attributes
    ----------
    slope, slope_interval
        Bounds of the calibration slope and of its 95% interval.
    citl
        Largest |calibration in the large|, log-odds.
    abstained
        Largest share of abstained cases.
    events
        Fewest events; below, the verdict is ``insufficient``.
    """

    slope: tuple[float, ...] = (0.8, 1.25)
    slope_interval: tuple[float, ...] = (0.6, 1.6)
    citl: float = 0.1
    abstained: float = 0.15
    events: int = 100


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run. Two equal experiments on equal cohorts give equal bytes.

    Attributes
    ----------
    name
        Of the registered model: ``checkpoint-response``, ``targeted-response``.
    family
        ``checkpoint`` or ``targeted``: which columns of the table, which published arms.
    fit_on
        ``patients``: cohorts. ``arms``: published arms alone (a family without enough patients); development cohorts
        are then refused and external ones are checks.
    synthetic
        Must agree with every cohort: one fit never mixes real and synthetic cases.
    """

    name: str
    family: Literal["checkpoint", "targeted"]
    question: Question
    synthetic: bool = False
    fit_on: Literal["patients", "arms"] = "patients"
    cohorts: CohortSettings = field(default_factory=CohortSettings)
    terms: TermSettings = field(default_factory=TermSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    model: ResponseSettings = field(default_factory=ResponseSettings)
    resampling: ResamplingSettings = field(default_factory=ResamplingSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    gate: GateSettings = field(default_factory=GateSettings)

    def __post_init__(self) -> None:
        refuse_too_few(self)
        refuse_unknown_names(self)
        unknown = [name for name in self.evaluation.comparators if name not in EVERY_COMPARATOR]
        if unknown:
            raise WrongSetting(
                f"{unknown[0]!r} is no comparator", field="evaluation.comparators", allowed=EVERY_COMPARATOR
            )
        if self.fit_on == "patients" and not self.cohorts.development:
            way_out = "Name one, or fit_on: arms."
            raise WrongSetting("names no cohort to fit on", field="cohorts.development", way_out=way_out)
        if self.fit_on == "arms" and (self.cohorts.development or self.synthetic):
            raise WrongSetting("is neither needed nor used when fit_on is arms", field="cohorts.development")
        if self.synthetic and self.cohorts.published_arms:
            way_out = "Leave it at 0; the evidence term reads the arms in either case."
            raise WrongSetting("are real, and the cases are synthetic", field="cohorts.published_arms", way_out=way_out)
        both = sorted(set(self.cohorts.development) & set(self.cohorts.external))
        if both:
            raise WrongSetting(f"{both[0]!r} is development and external at once", field="cohorts.external")
        if self.cohorts.overlap != "refuse" and not self.cohorts.overlap_reason:
            raise WrongSetting("needs a sentence that says why", field="cohorts.overlap_reason")
        for what in ("control_arm", "survival"):
            if what in self.evaluation.also and getattr(self.evaluation, what) is None:
                way_out = "Say treated, control and as_if_given, or do without it."
                raise WrongSetting("is asked for and not described", field=f"evaluation.{what}", way_out=way_out)
        if not (self.terms.evidence or self.terms.linear or self.terms.boosted):
            raise WrongSetting("switches every term off", field="terms")

    @property
    def settings(self) -> ResponseSettings:
        """The settings of the fit, with the terms switched as ``terms`` says."""
        return replace(
            self.model,
            evidence=self.terms.evidence,
            linear=replace(self.model.linear, on=self.terms.linear),
            boosted=replace(self.model.boosted, on=self.terms.boosted),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, defaults written out."""
        return asdict(self)


def read_experiment(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment file.

    Parameters
    ----------
    path
        YAML.
    overrides
        ``a.b=c``, see :func:`experiments.settings_reader.overridden`.

    Raises
    ------
    ExperimentNotFound
        When there is no such file; the message lists those beside it.
    UnknownSetting, MissingSetting, WrongSetting
        Naming the dotted path and the nearest valid name.
    """
    place = Path(path)
    if not place.is_file():
        shipped = sorted(found.name for found in Path(__file__).parent.glob("*.yaml"))
        raise ExperimentNotFound("there is no such experiment file", record=str(path), allowed=shipped)
    try:
        raw = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WrongSetting(f"is not YAML: {' '.join(str(error).split())}", record=place.name) from None
    if not isinstance(raw, dict):
        way_out = "Begin with a copy of experiments/checkpoint.yaml."
        raise WrongSetting("is not a mapping of settings", record=place.name, way_out=way_out)
    if {"table", "study"} & set(raw):
        way_out = "Build the cohort with `oncorespond cohort build`, and name it in an experiment file."
        raise WrongSetting("is a manifest of a cohort, no experiment", record=place.name, way_out=way_out)
    changed = overridden(raw, overrides)
    refuse_terms_twice(changed)
    return read_settings(Experiment, changed)
