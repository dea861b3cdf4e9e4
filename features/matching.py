"""Matching: does a therapy meet its alteration in this case, is it undone, and how strong is the evidence.

What a drug needs and what undoes it are facts of its row in ``therapies.csv``; how strong a pairing is in a histology
is a row of ``match_levels.csv``. Everything is judged per pair of (finding, regimen), cached, so that a cohort asks as
often as it has different pairs.

Rules
-----
A finding *matches* when one of its classes is needed, unless a narrower class of it undoes the therapy. It *undoes*
when one of its classes is in ``undone_by``, unless the regimen holds a drug that needs just that class: KRAS G12C
undoes cetuximab alone, and not sotorasib with cetuximab. A driver in a gene the therapy is meant for, of a class that
is not needed, is the *wrong class* (BRAF K601E and vemurafenib). A negative test in blood is *not detected*, never
wild-type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from features.agents import agents
from features.driver_classes import Reading, classes, read, row, with_broader, with_narrower
from features.match_levels import LEVEL_SCORE, Level, level_of
from features.regimens import regimen
from features.remembered import MOST_FINDINGS
from features.therapy_classes import class_facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.case import Alteration
    from features.regimens import RegimenFacts

Status = Literal["matched", "wrong_class", "unmatched", "not_detected", "untested", "not_applicable"]
"""``unmatched`` is tested and wild-type; ``not_detected`` a negative in blood; ``untested`` unknown;
``not_applicable`` a therapy that is not chosen by an alteration."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one finding means for one regimen: needed classes it has, classes that undo, driver of the wrong class."""

    matches: tuple[str, ...] = ()
    undoes: tuple[str, ...] = ()
    wrong_class: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A therapy against the findings of one case.

    Attributes
    ----------
    status
        See :data:`Status`.
    class_ids
        Needed classes that are present, the narrowest first; for ``wrong_class`` the classes found instead.
    resistance_ids
        Classes present that undo the therapy.
    level
        Strength of the evidence for the match in this histology; ``none`` when there is no match.
    sources
        Sources of the classes and of the level.
    """

    status: Status
    class_ids: tuple[str, ...] = ()
    resistance_ids: tuple[str, ...] = ()
    level: Level = "none"
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What a regimen asks for: need classes by gene (one bit a gene), and the genes where a driver is a wrong class."""

    by_gene: tuple[tuple[str, frozenset[str]], ...]
    genes: frozenset[str]

    def bit_of(self, gene: str) -> int:
        """Return the bit of one gene, 0 when nothing is needed in it."""
        return next((1 << place for place, (one, _) in enumerate(self.by_gene) if one == gene), 0)

    @property
    def all_bits(self) -> int:
        """All genes of the need as one mask."""
        return (1 << len(self.by_gene)) - 1


@lru_cache(maxsize=16_384)
def needs_of(key: str) -> Needs:
    """Return what a regimen needs, by gene; empty for a therapy that is not chosen by an alteration."""
    by_gene: dict[str, set[str]] = {}
    for need in regimen(key).needs:
        members = [need] if row(need).gene else [one for one in with_narrower(need) if row(one).gene]
        for one in members:
            by_gene.setdefault(row(one).gene, set()).add(one)
    ordered = tuple((gene, frozenset(by_gene[gene])) for gene in sorted(by_gene))
    return Needs(ordered, frozenset(by_gene) | (regimen(key).targets if ordered else frozenset()))


@lru_cache(maxsize=16_384)
def meant_for(key: str) -> frozenset[str]:
    """Return the genes a regimen is given for: those its classes are named for, and those it is chosen by.

    Examples
    --------
    >>> "ROS1" in meant_for("crizotinib"), "RET" in meant_for("cabozantinib")
    (True, False)
    """
    facts = regimen(key)
    return class_facts(facts.therapy_class).targets | {gene for gene, _ in needs_of(key).by_gene}


@lru_cache(maxsize=16_384)
def chosen_by(key: str) -> frozenset[str]:
    """Return the genes whose alterations a regimen is chosen by; of a class alone, those of any of its drugs.

    Examples
    --------
    >>> sorted(chosen_by("gefitinib")), sorted(chosen_by("bevacizumab")), "BRAF" in chosen_by("class:mek")
    (['EGFR'], [], True)
    """
    facts = regimen(key)
    named = frozenset(gene for gene, _ in needs_of(key).by_gene)
    if named or facts.agents or len(facts.parts) > 1:
        return named
    drugs = (one.name for one in agents().values() if one.therapy_class == facts.therapy_class)
    return frozenset[str]().union(*(chosen_by(drug) for drug in drugs))


@lru_cache(maxsize=MOST_FINDINGS)
def judge(reading: Reading, key: str) -> Verdict:
    """Return what a finding that is present means for a regimen."""
    facts = regimen(key)
    found = frozenset(reading.classes)
    matches, undoes = found & frozenset(facts.needs), found & frozenset(facts.undone_by)
    undoes = frozenset(one for one in undoes if not matches & with_narrower(one))
    narrower = frozenset(broader for one in undoes for broader in with_broader(one))
    matches = matches - narrower
    wrong = not matches and reading.gene in needs_of(key).genes and reading.drives and reading.text != "mutation"
    ordered = [one for one in reading.classes if one in matches], [one for one in reading.classes if one in undoes]
    return Verdict(tuple(ordered[0]), tuple(ordered[1]), wrong)


def negates(alteration: Alteration, key: str) -> int:
    """Return the mask of genes for which a tested negative rules out all that the regimen needs.

    Without notation the negative is of the whole kind (``ALK fusion absent``, ``KRAS mutation absent``); with notation
    only of its narrowest class and what is part of it (``T790M absent`` says nothing of L858R).
    """
    gone = negated_classes(alteration)
    bits = 0
    for place, (_, needed) in enumerate(needs_of(key).by_gene):
        bits |= (needed <= gone) << place
    return bits


def negated_classes(alteration: Alteration) -> frozenset[str]:
    """Return the classes that a negative finding rules out."""
    reading, a = read(alteration), alteration
    named = frozenset[str]().union(*(with_narrower(one) for one in reading.narrowest))
    if any((a.protein_change, a.cdna_change, a.exon, a.partner, a.level)):
        return named
    return named | {one.id for one in classes().values() if one.gene == reading.gene and one.kind == a.kind}


EVERY_GENE = frozenset({"*"})
"""What a whole exome tested."""


def covers(tested: frozenset[str], gene: str) -> bool:
    """Return whether an assay tested a gene."""
    return gene in tested or tested == EVERY_GENE


@lru_cache(maxsize=65_536)
def needs_tested_by(tested: frozenset[str], key: str) -> int:
    """Return the mask of needed genes that an assay tested; protein expression is not tested by sequencing."""
    bits = 0
    for place, (gene, needed) in enumerate(needs_of(key).by_gene):
        sequenced = any(row(one).kind != "expression" for one in needed)
        bits |= (covers(tested, gene) and sequenced) << place
    return bits


def match(
    findings: Iterable[Alteration],
    tested: frozenset[str] | None,
    lineage: tuple[str, ...],
    facts: RegimenFacts,
    *,
    blood: bool = False,
) -> Match:
    """Judge one case.

    Parameters
    ----------
    findings
        All findings, negative ones included.
    tested
        Genes the assay tested (:data:`EVERY_GENE` for an exome); None when that is not known.
    lineage
        :func:`features.histology.lineage` of the case.
    facts
        The regimen.
    blood
        Whether the assay read blood: its negatives are *not detected*.

    Examples
    --------
    >>> from features.case import Alteration
    >>> from features.histology import lineage
    >>> t790m = Alteration(gene="EGFR", kind="mutation", protein_change="T790M")
    >>> match([t790m], None, lineage("LUAD"), regimen("gefitinib")).resistance_ids
    ('EGFR_T790M',)
    >>> match([t790m], None, lineage("LUAD"), regimen("osimertinib")).status
    'matched'
    """
    all_findings = list(findings)
    present = [
        (reading, judge(reading, facts.key))
        for reading in map(read, (a for a in all_findings if a.status == "present"))
    ]
    undone = tuple(sorted({one for _, verdict in present for one in verdict.undoes}))
    hits = sorted((reading.classes, verdict.matches) for reading, verdict in present if verdict.matches)
    if hits:
        levels = [level_of(facts.key, found, lineage) for found, _ in hits]
        level, source = max(levels, key=lambda one: (LEVEL_SCORE[one[0]], one))
        ids = tuple(dict.fromkeys(one for _, matches in hits for one in matches))
        return Match("matched", ids, undone, level, _sources((*ids, *undone), source))
    status, ids = _without_match(
        all_findings, [r for r, verdict in present if verdict.wrong_class], tested, facts.key, blood
    )
    return Match(status, ids, undone, "none", _sources((*ids, *undone), ""))


def _without_match(
    findings: list[Alteration], wrong: list[Reading], tested: frozenset[str] | None, key: str, blood: bool
) -> tuple[Status, tuple[str, ...]]:
    needs = needs_of(key)
    if not needs.by_gene:
        return "not_applicable", ()
    if wrong:
        return "wrong_class", tuple(sorted({one for reading in wrong for one in reading.narrowest}))
    by_assay = needs_tested_by(tested, key) if tested is not None else 0
    firm = soft = 0
    for one in findings:
        if one.status == "absent" and not blood:
            firm |= negates(one, key)
        elif one.status != "present":
            soft |= negates(one, key)
    firm, soft = (firm, soft | by_assay) if blood else (firm | by_assay, soft)
    for one in findings:
        if read(one).unreadable:
            firm, soft = firm & ~needs.bit_of(one.gene), soft & ~needs.bit_of(one.gene)
    if firm == needs.all_bits:
        return "unmatched", ()
    return ("not_detected" if firm | soft == needs.all_bits else "untested"), ()


def _sources(class_ids: tuple[str, ...], level_source: str) -> tuple[str, ...]:
    found = [row(one).source for one in class_ids] + [level_source]
    return tuple(dict.fromkeys(source for source in found if source))
