"""Settings of a fit: frozen, every field with its unit and the reason for its default.

Experiment files set them (``model:``); what they do not name has the default written here and is logged as such.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_type_hints

from features.contract import Group  # noqa: TC001  # read at run time: settings are checked against their type hints
from features.errors import Refusal
from features.vocabulary import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

Settings = TypeVar("Settings")


class UnknownSetting(Refusal):
    """A setting that does not exist; usually a misspelling."""

    code = "unknown_setting"


@dataclass(frozen=True)
class LinearSettings:
    """Ridge logistic regression.

    Attributes
    ----------
    prior
        How far coefficients may stray from nought: ``resampled`` chooses a penalty and factors by cross-validated log
        loss; ``marginal`` takes for each group, and each feature of many columns, the prior variance of the largest
        marginal likelihood (:mod:`models.linear_prior`), and the grids below are not used. On synthetic cohorts
        ``marginal`` is nearer to the truth at 2,000 cases and as near at 20,000; on Chowell_train its log loss was
        higher (0.5361 against 0.5352, 2 x 5 folds), so real experiments keep ``resampled``. ``selected`` is
        ``marginal`` with the columns that the cases are likelier without held at exactly 0
        (:mod:`models.selected_prior`): an explanation of fewer things.
    penalties
        Grid of ridge penalties, chosen by cross-validated log loss. The penalty is the inverse prior variance of a
        standardised coefficient: 10 is a prior standard deviation of 0.32 log-odds per standard deviation.
    group_penalty
        Factor on the penalty by feature group, or by feature, which goes first; 1 where neither is named.
    missing_penalty
        Factor on the penalty of ``*__missing`` columns, beside their group's. Who was not measured says little that
        carries over to another hospital: the prior is that it moves the estimate by a fifth of what a value may
        (a prior standard deviation divided by the root of 30), and only strong data move it further.
    tuned_groups, factors
        Groups whose factor is chosen by cross-validated log loss too, one after the other: tumours differ by more than
        two patients' albumin does, and most of some forty alterations do next to nothing. In resampling it lowered the
        log loss on real patients (0.5380 to 0.5367, 10 x 5 folds) and on small and large synthetic cohorts.
    signs
        Groups whose coefficients keep the sign declared of their column (:mod:`models.declared_signs`); none: every
        coefficient is free, and an answer warns where one lies against its sign.
    """

    on: bool = True
    prior: Literal["resampled", "marginal", "selected"] = "resampled"
    penalties: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
    group_penalty: Mapping[str, float] = field(default_factory=dict)
    missing_penalty: float = 30.0
    tuned_groups: tuple[Group, ...] = ("histology", "therapy", "alterations", "patient", "prior_lines")
    factors: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    signs: tuple[Group, ...] = ()


@dataclass(frozen=True)
class BoostedSettings:
    """Shallow monotone boosters; 0 asks for the n-aware preset (see :func:`models.boosted_fit.preset`).

    ``trials`` of a search around it (:mod:`models.boosted_search`), within every fit and so nested in any resampling;
    0 searches nothing.
    """

    on: bool = True
    seeds: int = 5
    leaves: int = 7
    trees: int = 0
    learning_rate: float = 0.05
    smallest_leaf: int = 0
    ridge: float = 10.0
    share_of_cases: float = 0.8
    share_of_columns: float = 0.6
    monotone: bool = True
    trials: int = 0


@dataclass(frozen=True)
class CalibrationSettings:
    """The affine map on the log-odds.

    Attributes
    ----------
    method
        ``by_events`` fits both numbers when there are enough events and non-events, the intercept alone otherwise.
    events_for_slope
        100 events and 100 non-events (Vergouwe 2005, doi:10.1016/j.jclinepi.2004.06.017; Collins 2016,
        doi:10.1002/sim.6787).
    """

    method: Literal["by_events", "affine", "intercept"] = "by_events"
    events_for_slope: int = 100


@dataclass(frozen=True)
class IntervalSettings:
    """The 95% interval.

    Attributes
    ----------
    setting_sd, histology_sd, site_sd
        Figures, in log-odds, for three variances that the fit estimates by leaving whole groups out
        (:mod:`models.between`), each counting as ``figure_counts`` groups beside those of the training cases.
        Settings (histology and therapy class together): 0.7, the root of the variances that the targeted arms of
        ``published_arms.csv`` show between families, between arms, in therapy x alteration and in therapy x histology
        (0.5 together). Histologies: 0.77 between 22 tumours with 30 or more patients in unselected anti-PD-1/PD-L1
        monotherapy arms, chance taken away. Hospitals: 0.42, between seven checkpoint cohorts (docs/results.md).
    figure_counts, site_figure_counts
        Groups that a figure counts as. For hospitals it is one: the figure is not from elsewhere.
    missing_inputs
        Add, for each unknown input, the variance its contribution has among training cases where it is known.
    """

    setting_sd: float = 0.7
    histology_sd: float = 0.77
    site_sd: float = 0.42
    figure_counts: float = 5.0
    site_figure_counts: float = 1.0
    missing_inputs: bool = True


@dataclass(frozen=True)
class ApplicabilitySettings:
    """When to abstain and when to warn; experiment files state their reason beside each number.

    Attributes
    ----------
    fewest_tissue_cases
        Abstain below this many training cases of the histology's tissue when no published arm speaks either.
    few_histology_cases
        Warn below this many training cases of the histology itself (subgroups under 20 are not scored, protocol.md).
    fewest_class_cases
        Below this many training cases a therapy class counts as unknown, unless published arms cover it.
    key_inputs, fewest_key_inputs
        Features of which at least so many must be known; none named: not asked for.
    range_margin_sd
        Abstain when a number lies beyond the training range by more than this many standard deviations; warn when
        it lies outside at all.
    widest_interval, wide_interval
        Width in probability: abstain above the first, warn above the second.
    youngest_years
        Warn below this age: whom the question is about, not what was seen (a cohort may hold a few younger). None, as
        in artefacts that were written before there was this setting: no rule.
    blood_negative
        What a blood-only sample without the target of a targeted therapy leads to: ctDNA may simply not be shed.
    """

    fewest_tissue_cases: int = 10
    few_histology_cases: int = 30
    fewest_class_cases: int = 10
    key_inputs: tuple[str, ...] = ()
    fewest_key_inputs: int = 0
    range_margin_sd: float = 3.0
    widest_interval: float = 0.90
    wide_interval: float = 0.50
    blood_negative: Literal["abstain", "warn"] = "warn"
    youngest_years: float | None = None


@dataclass(frozen=True)
class ResponseSettings:
    """All settings of one fit of the equation.

    Examples
    --------
    >>> ResponseSettings().boosted.seeds
    5
    """

    evidence: bool = True
    linear: LinearSettings = field(default_factory=LinearSettings)
    boosted: BoostedSettings = field(default_factory=BoostedSettings)
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    interval: IntervalSettings = field(default_factory=IntervalSettings)
    applicability: ApplicabilitySettings = field(default_factory=ApplicabilitySettings)
    folds: int = 5
    seed: int = 20261

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> ResponseSettings:
        """Read settings from an experiment file; see :func:`settings_of`.

        Examples
        --------
        >>> ResponseSettings.from_mapping({"boosted": {"on": False}}).boosted.on
        False
        """
        return settings_of(cls, given, "model")


def settings_of(kind: type[Settings], given: Mapping[str, Any], where: str) -> Settings:
    """Read a settings dataclass from a mapping, lists as tuples, nested ones alike.

    Raises
    ------
    UnknownSetting
        For a key that the dataclass does not have; the message lists the nearest.

    Examples
    --------
    >>> settings_of(BoostedSettings, {"leafs": 3}, "model.boosted")
    Traceback (most recent call last):
    ...
    models.settings.UnknownSetting: model.boosted.leafs: there is no such setting. Allowed: leaves.
    """
    hints = get_type_hints(kind, localns={"Mapping": dict})
    names = [entry.name for entry in fields(kind)]  # type: ignore[arg-type]  # every caller passes a dataclass
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in names:
            likely = nearest(str(key), names) or tuple(names)
            raise UnknownSetting("there is no such setting.", field=f"{where}.{key}", allowed=likely)
        values[key] = _value(hints[key], value, f"{where}.{key}")
    return kind(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return settings_of(hint, value, where)
    return tuple(value) if isinstance(value, list) else value
