"""From what codes say of one tumour to one OncoTree code; nothing is guessed, and what is coarse is said to be.

Site and disease codes narrow the tumour to a branch of OncoTree; the morphology chooses below it. Where several codes
remain, the branch's usual name counts if it is among them, else the nearest common ancestor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features import histology
from features.sources.mcode.diagnosis_codes import subtype, with_morphology

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.sources.mcode.diagnosis_codes import Says

_MET_AT_MANY_SITES = ("8000/3", "8719/3")
"""First and last of the ICD-O-3 morphologies that are met at many sites (carcinomas); those above name a tumour."""


@dataclass(frozen=True, slots=True)
class Histology:
    """The answer: a code, "" when there is none; ``problem`` is the code of a finding, ``why`` says it in words."""

    code: str
    problem: str = ""
    why: str = ""


def histology_of(says: Iterable[Says]) -> Histology:
    """Return the one OncoTree code that all codes of a tumour agree on.

    Examples
    --------
    >>> from features.sources.mcode.diagnosis_codes import of_coding
    >>> from features.sources.mcode.systems import Coding
    >>> lung, adenocarcinoma = of_coding(Coding("icd10", "C34.9")), of_coding(Coding("icdo3", "8140/3"))
    >>> histology_of([*lung, *adenocarcinoma]).code, histology_of(adenocarcinoma).problem
    ('LUAD', 'histology_ambiguous')
    """
    found = [one for one in says if one.kind in {"primary", "site", "morphology"}]
    roots = {one.root for one in found if one.root}
    root = _deepest(roots)
    if roots and not root:
        return Histology("", "histology_ambiguous", f"the codes name different tumours: {', '.join(sorted(roots))}")
    names = {one.histology for one in found if one.histology}
    usual = _deepest(names) or _common(names) or root
    morphologies = sorted({one.morphology for one in found if one.morphology})
    if not morphologies:
        return _by_name(names, usual)
    below = {code for one in morphologies if (code := _below(one, root, usual))}
    if not below:
        return _without_morphology(morphologies, root, usual)
    chosen = _deepest({*below, *_specific(names, root)}) or _deepest(below)
    if not chosen:
        return Histology(
            "", "histology_ambiguous", f"the morphologies name different tumours: {', '.join(sorted(below))}"
        )
    if chosen == root and any(chosen not in with_morphology(one) for one in morphologies):
        return Histology(
            chosen, "histology_coarse", f"several histologies have morphology {', '.join(morphologies)} here"
        )
    return Histology(chosen)


def _by_name(names: set[str], usual: str) -> Histology:
    if names and not _deepest(names):
        return Histology(usual, "histology_coarse", f"the codes name {', '.join(sorted(names))}")
    return Histology(usual)


def _specific(names: set[str], root: str) -> set[str]:
    """Return the disease names that are themselves histologies, not sites: they must agree with the morphology."""
    return {name for name in names if histology.row(name).icdo3 and name != root and not histology.row(name).arms_only}


def _below(morphology: str, root: str, usual: str) -> str:
    """Return the code of a morphology below a branch, "" when the branch has none, its common ancestor when several."""
    listed = subtype(morphology, root)
    if listed:
        return listed
    here = {code for code in with_morphology(morphology) if not root or root in histology.lineage(code)}
    if usual in here:
        return usual
    return _top(here) or (_common(here) if root else "")


def _without_morphology(morphologies: list[str], root: str, usual: str) -> Histology:
    """Return the site alone where the vocabulary has no such morphology; refuse a tumour of another site."""
    shown = ", ".join(morphologies)
    low, high = _MET_AT_MANY_SITES
    if not usual:
        return Histology("", "histology_ambiguous", f"morphology {shown} is met at several sites, and no site is given")
    if any(with_morphology(one) and (not low <= one <= high or _in_tissue(one, root)) for one in morphologies):
        return Histology(
            "", "histology_ambiguous", f"morphology {shown} does not occur at the coded site {root or usual}"
        )
    return Histology(usual, "histology_coarse", f"morphology {shown} is not in the vocabulary at this site")


def _in_tissue(morphology: str, root: str) -> bool:
    """Return whether the tissue has this morphology, though not on the branch that a disease code names."""
    tissue = histology.lineage(root)[-1] if root else ""
    return tissue != root and any(tissue in histology.lineage(code) for code in with_morphology(morphology))


def _deepest(codes: set[str]) -> str:
    """Return the code that lies below all others, "" when they are not on one branch."""
    return next((code for code in sorted(codes) if codes <= set(histology.lineage(code))), "")


def _top(codes: set[str]) -> str:
    """Return the code that all others lie below, "" when there is none."""
    return next((code for code in sorted(codes) if all(code in histology.lineage(other) for other in codes)), "")


def _common(codes: set[str]) -> str:
    """Return the nearest common ancestor, "" when the codes lie in different tissues."""
    if not codes:
        return ""
    lineages = [histology.lineage(code) for code in sorted(codes)]
    return next((code for code in lineages[0] if all(code in other for other in lineages)), "")
