"""Variant classifications: the words of MAF files, of the Sequence Ontology and of annotators, as one kind of change.

Sources: the GDC MAF format v1.0.0; Sequence Ontology terms as written by VEP; ANNOVAR's exonic functions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from features.errors import UnreadableAlteration, seen_text

if TYPE_CHECKING:
    from features.protein_change import VariantKind

_WORDS: dict[VariantKind, str] = {
    "missense": "missense_mutation missense_variant missense nonsynonymous_snv nonsynonymous missense_substitution",
    "nonsense": "nonsense_mutation stop_gained nonsense stopgain",
    "frameshift": (
        "frame_shift_del frame_shift_ins frameshift_variant frameshift frame_shift frameshift_deletion "
        "frameshift_insertion"
    ),
    "inframe_deletion": (
        "in_frame_del in_frame_deletion inframe_deletion inframe_del nonframeshift_deletion "
        "conservative_inframe_deletion disruptive_inframe_deletion"
    ),
    "inframe_insertion": (
        "in_frame_ins in_frame_insertion inframe_insertion inframe_ins nonframeshift_insertion "
        "conservative_inframe_insertion disruptive_inframe_insertion"
    ),
    "delins": "inframe_indel in_frame_indel protein_altering_variant",
    "splice": (
        "splice_site splice splice_acceptor_variant splice_donor_variant splice_site_snp splice_site_del "
        "splice_site_ins splicing"
    ),
    "synonymous": "silent synonymous_variant synonymous synonymous_snv stop_retained_variant",
    "start_loss": (
        "translation_start_site start_lost start_codon_snp start_codon_del start_codon_ins start_codon_dnp "
        "initiator_codon_variant"
    ),
    "stop_loss": "nonstop_mutation stop_lost stop_codon_del stop_codon_ins nonstop stoploss",
    "promoter": "5'flank upstream_gene_variant promoter",
    "noncoding": (
        "intron intron_variant 3'utr 5'utr 3'flank igr rna lincrna splice_region splice_region_variant "
        "intergenic_variant downstream_gene_variant 3_prime_utr_variant 5_prime_utr_variant "
        "non_coding_transcript_exon_variant de_novo_start_outofframe de_novo_start_inframe intronic utr "
        "noncoding"
    ),
    "unknown": "unknown other targeted_region",
}
_KIND_OF: dict[str, VariantKind] = {word: kind for kind, words in _WORDS.items() for word in words.split()}


def kind_of_classification(word: str) -> VariantKind:
    """Return the kind that a classification stands for.

    Parameters
    ----------
    word
        MAF ``Variant_Classification``, a Sequence Ontology term (of several joined by a comma the first, VEP's most
        severe), or a plain word.

    Raises
    ------
    UnreadableAlteration
        When the word is none of them.

    Examples
    --------
    >>> kind_of_classification("Frame_Shift_Del"), kind_of_classification("splice_donor_variant,intron_variant")
    ('frameshift', 'splice')
    """
    first = re.split(r"[,&;]", word.strip())[0].strip().casefold().replace(" ", "_").replace("-", "_")
    if first in _KIND_OF:
        return _KIND_OF[first]
    raise UnreadableAlteration(
        f"{seen_text(word)} is not a variant classification",
        allowed=("Missense_Mutation", "Nonsense_Mutation", "Frame_Shift_Del", "In_Frame_Del", "Splice_Site", "Silent"),
        way_out="Use the words of the MAF format or a Sequence Ontology term, or leave it out.",
    )
