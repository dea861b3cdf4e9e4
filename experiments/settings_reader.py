"""Reading settings from YAML into frozen dataclasses: unknown keys refused with the nearest name, every type checked.

The dataclasses are the documentation: a field's type, default and docstring are all there is, and nothing else has
defaults. ``--set a.b=c`` changes the YAML before it is read, so an override is checked exactly like the file.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from features.errors import Refusal, seen_text
from features.vocabulary import nearest

Settings = TypeVar("Settings")


class UnknownSetting(Refusal):
    """A key that an experiment file does not have; usually a misspelling."""

    code = "unknown_setting"


class MissingSetting(Refusal):
    """A key that every experiment file needs."""

    code = "missing_setting"


class WrongSetting(Refusal):
    """A value of the wrong type, or not among those allowed."""

    code = "wrong_setting"


def read_settings(kind: type[Settings], given: object, where: str = "") -> Settings:
    """Read a frozen dataclass (and those inside it) from a mapping.

    Parameters
    ----------
    kind
        The dataclass. Its type hints decide what is accepted: whole numbers pass for fractional ones, lists become
        tuples, nothing else is converted (``"5"`` is no number, 1 is no truth value).
    given
        What the YAML holds.
    where
        Dotted path so far, for messages.

    Raises
    ------
    UnknownSetting, MissingSetting, WrongSetting
        Naming the dotted path, what was seen, what is allowed.

    Examples
    --------
    >>> from models.settings import CalibrationSettings
    >>> read_settings(CalibrationSettings, {"method": "affine"}).method
    'affine'
    """
    if not isinstance(given, Mapping):
        raise WrongSetting(f"{seen_text(given)} is not a mapping of settings", field=where or None)
    hints = get_type_hints(kind, localns={"Mapping": Mapping, "Sequence": Sequence})
    names = [entry.name for entry in fields(kind)]  # type: ignore[arg-type]  # every caller passes a dataclass
    for key in given:
        if key not in names:
            raise _unknown(str(key), names, _path(where, str(key)))
    values = {name: _value(hints[name], given[name], _path(where, name)) for name in names if name in given}
    for entry in fields(kind):  # type: ignore[arg-type]  # as above
        if entry.name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            path = _path(where, entry.name)
            raise MissingSetting("is required", field=path, way_out="Give it in the experiment file.")
    return kind(**values)


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _unknown(key: str, names: Sequence[str], path: str) -> UnknownSetting:
    close = nearest(key, names)
    hint = f"Did you mean {close[0]!r}?" if close else None
    return UnknownSetting("is not a setting", field=path, allowed=close or names, way_out=hint)


def _value(hint: Any, value: Any, path: str) -> Any:
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _one_of(inside, value, path)
    if origin is Literal:
        return _literal(inside, value, path)
    if origin is tuple:
        return tuple(_value(inside[0], item, f"{path}[{i}]") for i, item in enumerate(_listed(value, path)))
    if isinstance(hint, type) and is_dataclass(hint):
        return read_settings(hint, value, path)
    if origin is not None and issubclass(origin, Mapping):
        return {str(key): _value(inside[1], item, _path(path, str(key))) for key, item in _mapped(value, path).items()}
    return _plain(hint, value, path)


def _one_of(members: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and NoneType in members:
        return None
    return _value(next(member for member in members if member is not NoneType), value, path)


def _literal(allowed: tuple[Any, ...], value: Any, path: str) -> Any:
    if value not in allowed:
        raise WrongSetting(f"{seen_text(value)} is not a value of this setting", field=path, allowed=allowed)
    return value


def _listed(value: Any, path: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise WrongSetting(f"{seen_text(value)} is not a list", field=path, way_out="Write [a, b].")
    return value


def _mapped(value: Any, path: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise WrongSetting(f"{seen_text(value)} is not a mapping", field=path)
    return value


def _plain(hint: Any, value: Any, path: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) is (hint is bool) and isinstance(value, hint):
        return value
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    raise WrongSetting(f"{seen_text(value)} is not {words.get(hint, hint)}", field=path)


def overridden(raw: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the raw settings with ``a.b=c`` overrides put in; values are read as YAML.

    Parameters
    ----------
    raw
        The file as parsed. It is not changed.
    overrides
        Such as ``cohorts.external=[loris-msk1]`` or ``model.boosted.on=false``.

    Raises
    ------
    WrongSetting
        When an override has no ``=``, or leads through something that is no mapping.

    Examples
    --------
    >>> overridden({"model": {"folds": 5}}, ["model.folds=3", "model.seed=7"])
    {'model': {'folds': 3, 'seed': 7}}
    """
    changed = copy.deepcopy(dict(raw))
    for text in overrides:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise WrongSetting(f"{seen_text(text)} is not an override", way_out="Write --set section.name=value.")
        *parents, name = path.split(".")
        place: Any = changed
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise WrongSetting(f"{parent!r} is a value, not a section", field=path)
        place[name] = yaml.safe_load(value)
    return changed
