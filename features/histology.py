"""Histology: OncoTree code -> name and lineage, up to the tissue.

A rare code falls back on its parents: ``LUAD`` is also ``NSCLC`` and ``LUNG``. Codes, names and synonyms resolve
without regard to case, punctuation and British spelling; a name that fits several codes is refused with all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from features.errors import UnknownHistology, seen_text
from features.vocabulary import cell_list, nearest, table

_SPELLINGS = (
    ("tumour", "tumor"),
    ("oesoph", "esoph"),
    ("aemia", "emia"),
    ("haem", "hem"),
    ("gynae", "gyne"),
    ("paragangliomata", "paraganglioma"),
)
"""British to American spelling, as far as it touches names of tumours."""

_SILENT_WORDS = frozenset({"and", "the", "of", "nos"})
"""Words that do not tell two histologies apart."""


_STAGE = (
    r"metastatic|advanced|locally advanced|unresectable|inoperable|recurrent|relapsed|refractory|progressive"
    r"|stage (?:iii|iv|iiib|iiic|4)|(?:previously|heavily) (?:treated|pretreated)|treatment[- ]naive|pretreated"
    r"|(?:platinum|castration|hormone|endocrine|imatinib|chemotherapy)[- ](?:resistant|refractory|sensitive)"
    r"|mcrpc|mcspc|mhspc|(?:radioactive[- ])?(?:radio)?iodine[- ]refractory|rai[- ]refractory"
    r"|p(?:a)?ediatric|childhood|adult|male|(?<=\()(?:all|any)(?=\))"
)
_MARKER = (
    r"(?:pd-l1|[a-z0-9]+)(?:[- /](?:v600e?|g12[cd]|t790m|k27m|q61|exon \d+))?[- ](?:positive|negative|mutant"
    r"|mutated|mutation|altered|amplified|rearranged|overexpressing|expressing|deficient"
    r"|associated|related|fusion[- ]positive)"
    r"|(?:her2|pd-l1|folr1|trop2|tmb)[- ](?:low|high|zero|ultralow)|(?:hr|er|pr|her2|alk|ros1|ret|ntrk|egfr|pd-l1)[+-]"
    r"|dmmr|pmmr|mmrd|mmrp|msi-?h(?:igh)?|mss|tmb-?[hl]|gist-?wt"
)
_NOT_THE_HISTOLOGY = re.compile(rf"(?:^|(?<=[\s/,(]))(?:{_STAGE}|{_MARKER})(?=$|[\s/,)])(?:\s*(?:or|and|/|,))?")
"""Stage, course and biomarkers, as trials put them before a histology; the case has fields of its own for them."""


@dataclass(frozen=True, slots=True)
class HistologyRow:
    """One row of ``histologies.csv``.

    Attributes
    ----------
    code
        OncoTree code, the canonical spelling of a histology in a case.
    parent
        Code of the parent; empty for a tissue.
    lineage_group
        One of ``solid``, ``haematologic``, ``basket``.
    icdo3, snomed
        ICD-O-3 morphology (``8140/3``) and SNOMED CT concept ids; empty where we are not certain.
    arms_only
        True for a basket (``MIXED``): legal for a published arm, never for a case.
    """

    code: str
    name: str
    parent: str
    tissue: str
    main_type: str
    lineage_group: str
    synonyms: tuple[str, ...]
    icdo3: tuple[str, ...]
    snomed: tuple[str, ...]
    arms_only: bool
    source: str


def folded(name: str) -> str:
    """Return a name without case, punctuation, silent words and British spelling, for comparison.

    Examples
    --------
    >>> folded("Head & Neck") == folded("head and neck")
    True
    >>> folded("Oesophageal tumour, NOS")
    'esophageal tumor'
    """
    text = name.casefold()
    for british, american in _SPELLINGS:
        text = text.replace(british, american)
    words = re.findall(r"[a-z0-9]+", text)
    return " ".join([word for word in words if word not in _SILENT_WORDS] or words)


@lru_cache(maxsize=1)
def _rows() -> dict[str, HistologyRow]:
    return {
        row["code"]: HistologyRow(
            code=row["code"],
            name=row["name"],
            parent=row["parent"],
            tissue=row["tissue"],
            main_type=row["main_type"],
            lineage_group=row["lineage_group"],
            synonyms=cell_list(row["synonyms"]),
            icdo3=cell_list(row["icdo3_morphology"]),
            snomed=cell_list(row["snomed"]),
            arms_only=row["arms_only"] == "yes",
            source=row["source"],
        )
        for row in table("histologies")
    }


@lru_cache(maxsize=1)
def _by_name() -> dict[str, tuple[str, ...]]:
    """Return every folded code, name and synonym, and the codes it stands for; a code beats a name."""
    found: dict[str, tuple[str, ...]] = {folded(code): (code,) for code in _rows()}
    own_codes = frozenset(found)
    for code, row in _rows().items():
        for name in map(folded, (row.name, *row.synonyms)):
            if name not in own_codes and code not in found.get(name, ()):
                found[name] = (*found.get(name, ()), code)
    return found


@lru_cache(maxsize=1)
def _by_main_type() -> dict[str, str]:
    """Return folded main types to the one code that covers them: their only top row, or the only parent of all."""
    tops: dict[str, list[HistologyRow]] = {}
    for found in _rows().values():
        parent = _rows().get(found.parent)
        if parent is None or parent.main_type != found.main_type:
            tops.setdefault(folded(found.main_type), []).append(found)
    covering = {name: {top.parent for top in rows} if len(rows) > 1 else {rows[0].code} for name, rows in tops.items()}
    return {name: codes.pop() for name, codes in covering.items() if len(codes) == 1 and "" not in codes}


@lru_cache(maxsize=1)
def codes() -> tuple[str, ...]:
    """Return all OncoTree codes that a case may have, sorted; baskets are left out.

    Examples
    --------
    >>> "LUAD" in codes(), "MIXED" in codes()
    (True, False)
    """
    return tuple(sorted(code for code, row in _rows().items() if not row.arms_only))


@lru_cache(maxsize=4096)
def row(code: str) -> HistologyRow:
    """Return the row of a canonical code.

    Raises
    ------
    UnknownHistology
        When the text is no code of the vocabulary; see :func:`resolve` for names.

    Examples
    --------
    >>> row("LUAD").name
    'Lung Adenocarcinoma'
    """
    found = _rows().get(code)
    if found is None:
        raise _unknown(code)
    return found


@lru_cache(maxsize=4096)
def lineage(code: str) -> tuple[str, ...]:
    """Return the code and its ancestors, the tissue last.

    Examples
    --------
    >>> lineage("LUAD")
    ('LUAD', 'NSCLC', 'LUNG')
    >>> lineage("MIXED")
    ('MIXED',)
    """
    chain = [code]
    while parent := row(chain[-1]).parent:
        chain.append(parent)
    return tuple(chain)


@lru_cache(maxsize=4096)
def resolve_for_arm(text: str) -> str:
    """Return the code of a published arm's histology: as :func:`resolve`, and baskets are legal.

    Stage, course and biomarkers before a name are passed over when the name alone resolves.

    Examples
    --------
    >>> resolve_for_arm("MIXED"), resolve_for_arm("metastatic HR+/HER2- breast cancer")
    ('MIXED', 'BRCA')
    """
    name = folded(text)
    hits = _by_name().get(name, ())
    if len(hits) == 1:
        return hits[0]
    if not hits and name in _by_main_type():
        return _by_main_type()[name]
    bare = " ".join(_NOT_THE_HISTOLOGY.sub(" ", text.casefold()).split())
    if not hits and bare != " ".join(text.casefold().split()) and folded(bare) in _by_name():
        return resolve_for_arm(bare)
    raise _ambiguous(text, hits) if hits else _unknown(text)


@lru_cache(maxsize=4096)
def resolve(text: str) -> str:
    """Return the OncoTree code of a case's histology.

    Parameters
    ----------
    text
        A code, an OncoTree name or main type, or a synonym. Case, punctuation and British spelling do not matter.

    Raises
    ------
    UnknownHistology
        With the nearest names; with all candidates when the name fits several; for a basket, that it is none of a case.

    Examples
    --------
    >>> resolve("Lung Adenocarcinoma"), resolve("non-small cell lung cancer"), resolve("skcm")
    ('LUAD', 'NSCLC', 'SKCM')
    """
    code = resolve_for_arm(text)
    if _rows()[code].arms_only:
        raise UnknownHistology(
            f"{seen_text(text)} is a basket of histologies, which a trial arm can have and a patient cannot",
            way_out="Give the histology of this patient's tumour; UDMN is legal when it is not known.",
        )
    return code


def _ambiguous(text: str, hits: tuple[str, ...]) -> UnknownHistology:
    return UnknownHistology(
        f"{seen_text(text)} fits several histologies",
        allowed=[f"{code} ({_rows()[code].name})" for code in hits],
        way_out="Give the code.",
    )


def _unknown(text: str) -> UnknownHistology:
    words = set(folded(text).split())
    holding = {code: None for name, hits in _by_name().items() if words and words <= set(name.split()) for code in hits}
    if len(holding) > 1:
        return _ambiguous(text, tuple(holding))
    close = list(holding) or [hits[0] for name in nearest(folded(text), _by_name()) if (hits := _by_name()[name])]
    return UnknownHistology(
        f"{seen_text(text)} is no OncoTree code or name",
        allowed=[f"{code} ({_rows()[code].name})" for code in dict.fromkeys(close)],
        nearest=True,
        way_out="See `features/vocabularies/histologies.csv`, or give the code of the parent or tissue.",
    )
