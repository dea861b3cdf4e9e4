"""VCF files: the alterations of one sample, from the annotation that VEP (``CSQ``) or SnpEff (``ANN``) wrote into them.

A VCF without annotation knows places on the genome but no genes; it is refused with the way out. Of several
transcripts the one marked as picked or canonical counts, else the first (VEP and SnpEff write the most severe first).
"""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from features.case import Alteration
from features.errors import CohortRefusal
from features.sources.maf import fields_of_row
from features.sources.understood import Understood
from features.vocabulary import nearest

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT = re.compile(r'##INFO=<ID=CSQ,.*Format: ([^"]+)"')
_ANN = ("Allele", "Consequence", "IMPACT", "SYMBOL", "Gene", "Type", "Feature", "BIOTYPE", "Rank", "HGVSc", "HGVSp")
"""Order of the first SnpEff subfields; http://pcingola.github.io/SnpEff, "ANN field" v1.0."""


def alterations_of_vcf(path: Path, sample: str | None = None) -> tuple[tuple[Alteration, ...], Understood]:
    """Return the alterations of one sample, and how much of their notation was understood.

    Parameters
    ----------
    path
        VCF 4, plain or gzip, annotated.
    sample
        Name of the genotype column; may be left out when there is one, or one named TUMOR.

    Raises
    ------
    CohortRefusal
        When it is not annotated, or the sample is not in it.
    """
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = raw.decode("utf-8").splitlines()
    names = next((line.lstrip("#").split("\t") for line in lines if line.startswith("#CHROM")), None)
    if names is None:
        raise CohortRefusal("has no #CHROM line", record=path.name, way_out="Give a VCF 4 file.")
    fields = next((m[1].split("|") for line in lines if (m := _FORMAT.search(line))), list(_ANN))
    place = _sample_place(names, sample, path)
    tally, found, annotated = Understood(), [], False
    body = [line.split("\t") for line in lines if line and not line.startswith("#")]
    for cells in body:
        effect = _effect(cells, fields)
        annotated |= effect is not None
        if effect is None or not _called(cells, place):
            continue
        alteration = fields_of_row({**effect, **_reads(cells, place)}, tally)
        if alteration is not None:
            found.append(Alteration.model_validate(alteration))
    if body and not annotated:
        raise CohortRefusal(
            "is not annotated: no row names a gene",
            record=path.name,
            way_out="Annotate it with VEP or SnpEff, or give a MAF (vcf2maf).",
        )
    return tuple(found), tally


def _sample_place(names: list[str], sample: str | None, path: Path) -> int | None:
    samples = names[9:]
    if sample is None:
        sample = samples[0] if len(samples) == 1 else next((one for one in samples if one.upper() == "TUMOR"), None)
        if sample is None and samples:
            raise CohortRefusal(
                f"has {len(samples)} samples; name one",
                record=path.name,
                allowed=samples,
                way_out="Give it by --sample.",
            )
    if sample is None:
        return None
    if sample not in samples:
        near = nearest(sample, samples) or samples
        raise CohortRefusal(f"has no sample {sample!r}", record=path.name, allowed=near, way_out="Give it by --sample.")
    return names.index(sample)


def _effect(cells: list[str], fields: list[str]) -> dict[str, str] | None:
    info = dict(part.partition("=")[::2] for part in cells[7].split(";"))
    text = info.get("CSQ") or info.get("ANN")
    if not text:
        return None
    order = fields if "CSQ" in info else list(_ANN)
    effects = [dict(zip(order, one.split("|"), strict=False)) for one in text.split(",")]
    best = next((one for one in effects if one.get("PICK") == "1" or one.get("CANONICAL") == "YES"), effects[0])
    return {
        "Hugo_Symbol": best.get("SYMBOL", ""),
        "HGVSp": unquote(best.get("HGVSp", "")),
        "HGVSc": unquote(best.get("HGVSc", "")),
        "Variant_Classification": best.get("Consequence", ""),
    }


def _called(cells: list[str], place: int | None) -> bool:
    """Return whether the sample carries an alternate allele; without genotypes every row counts."""
    if place is None or len(cells) <= place:
        return True
    genotype = dict(zip(cells[8].split(":"), cells[place].split(":"), strict=False)).get("GT")
    return genotype is None or any(allele not in {"0", "."} for allele in re.split(r"[/|]", genotype))


def _reads(cells: list[str], place: int | None) -> dict[str, str]:
    if place is None or len(cells) <= place:
        return {}
    values = dict(zip(cells[8].split(":"), cells[place].split(":"), strict=False))
    if "AF" in values and "," not in values["AF"]:
        return {"t_vaf": values["AF"]}
    depths = values.get("AD", "").split(",")
    if len(depths) != 2 or not all(depth.isdigit() for depth in depths):
        return {}
    return {"t_ref_count": depths[0], "t_alt_count": depths[1]}
