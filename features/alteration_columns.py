"""The columns of the alterations builder: what each one means, which classes set it, and which way it should point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from features.contract import Column

CHECKPOINT: tuple[str, ...] = ("checkpoint",)
TARGETED: tuple[str, ...] = ("targeted",)
BOTH: tuple[str, ...] = ("checkpoint", "targeted")

Sign = Literal[-1, 0, 1]


@dataclass(frozen=True, slots=True)
class Status:
    """One column that is 1 when any of ``classes`` is present, 0 when every gene was tested, NaN when unknown.

    ``genes`` are those that must have been tested before the column may say 0; for a pathway they are its sentinels.
    """

    name: str
    text: str
    classes: tuple[str, ...]
    genes: tuple[str, ...]
    families: tuple[str, ...] = BOTH
    sign: Sign = 0
    source: str = ""
    pathway: str = ""

    def column(self) -> Column:
        """Return the contract."""
        return Column(
            self.name, self.name, "alterations", "flag", self.sign, self.source, "indicator", self.families
        )  # fmt: skip


GENES: tuple[Status, ...] = (
    Status("egfr_driver", "EGFR driver", ("EGFR_MUTATION", "EGFR_T790M"), ("EGFR",), CHECKPOINT, -1, "PMID:31125062"),
    Status(
        "kinase_fusion_driver",
        "ALK, ROS1 or RET fusion",
        ("ALK_FUSION", "ROS1_FUSION", "RET_FUSION"),
        ("ALK", "ROS1", "RET"),
        CHECKPOINT,
        -1,
        "PMID:31125062",
    ),
    Status("kras_mutation", "KRAS mutation", ("KRAS_MUTATION",), ("KRAS",)),
    Status("braf_mutation", "BRAF activating alteration", ("BRAF_MUTATION",), ("BRAF",), CHECKPOINT),
    Status("erbb2_altered", "HER2 alteration", ("ERBB2_ALTERED",), ("ERBB2",), CHECKPOINT, -1, "PMID:31125062"),
    Status("met_altered", "MET alteration", ("MET_ALTERED",), ("MET",), CHECKPOINT),
    Status("stk11_loss", "STK11 loss", ("STK11_LOSS",), ("STK11",), CHECKPOINT, -1, "PMID:29773717"),
    Status("keap1_loss", "KEAP1 loss", ("KEAP1_LOSS",), ("KEAP1",), CHECKPOINT, -1, "PMID:29089357"),
    Status("pbrm1_loss", "PBRM1 loss", ("PBRM1_LOSS",), ("PBRM1",), BOTH),
    Status("b2m_loss", "B2M loss", ("B2M_LOSS",), ("B2M",), CHECKPOINT, -1, "PMID:29070816"),
    Status("jak_loss", "JAK1 or JAK2 loss", ("JAK_LOSS",), ("JAK1", "JAK2"), CHECKPOINT, -1, "PMID:27903500"),
    Status("pten_loss", "PTEN loss", ("PTEN_LOSS",), ("PTEN",), BOTH),
    Status(
        "polymerase_exonuclease",
        "POLE or POLD1 exonuclease hotspot",
        ("POL_EXONUCLEASE",),
        ("POLE",),
        CHECKPOINT,
        1,
        "PMID:35398880",
    ),
    Status("tp53_altered", "TP53 alteration", ("TP53_ALTERED",), ("TP53",)),
    Status(
        "mdm_amplification",
        "MDM2 or MDM4 amplification",
        ("MDM_AMPLIFICATION",),
        ("MDM2", "MDM4"),
        CHECKPOINT,
        -1,
        "PMID:28351930",
    ),
    Status("smarca4_loss", "SMARCA4 loss", ("SMARCA4_LOSS",), ("SMARCA4",), CHECKPOINT),
    Status("nf1_loss", "NF1 loss", ("NF1_LOSS",), ("NF1",), CHECKPOINT),
    Status(
        "ctnnb1_activating",
        "CTNNB1 activating mutation",
        ("CTNNB1_ACTIVATING",),
        ("CTNNB1",),
        CHECKPOINT,
        -1,
        "PMID:25970248",
    ),
    Status("pik3ca_hotspot", "PIK3CA hotspot", ("PIK3CA_HOTSPOT",), ("PIK3CA",)),
    Status("cdkn2a_loss", "CDKN2A loss", ("CDKN2A_LOSS",), ("CDKN2A",)),
    Status("rb1_loss", "RB1 loss", ("RB1_LOSS",), ("RB1",)),
    Status("hrr_loss", "homologous-recombination gene loss", ("HRR_LOSS",), ("BRCA1", "BRCA2"), BOTH),
    Status("fgfr_altered", "FGFR alteration", ("FGFR_ALTERATION",), ("FGFR2", "FGFR3"), CHECKPOINT),
)

PATHWAYS: tuple[Status, ...] = (
    Status("pathway_rtk_ras", "RTK-RAS pathway driver", (), ("KRAS", "EGFR", "BRAF"), pathway="RTK_RAS"),
    Status("pathway_pi3k", "PI3K pathway driver", (), ("PIK3CA", "PTEN"), pathway="PI3K"),
    Status("pathway_cell_cycle", "cell-cycle driver", (), ("CDKN2A", "RB1"), pathway="CELL_CYCLE"),
    Status("pathway_dna_repair", "DNA-repair driver", (), ("BRCA2", "ATM"), pathway="DNA_REPAIR"),
    Status(
        "pathway_chromatin", "chromatin-remodelling driver", (), ("ARID1A", "KMT2D"), CHECKPOINT, pathway="CHROMATIN"
    ),
    Status("pathway_wnt", "WNT pathway driver", (), ("APC", "CTNNB1"), pathway="WNT"),
)

STATUSES: tuple[Status, ...] = GENES + PATHWAYS

TOGETHER: tuple[tuple[str, str, str, str, Sign, str], ...] = (
    ("kras_with_stk11", "KRAS mutation with STK11 loss", "kras_mutation", "stk11_loss", -1, "PMID:29773717"),
    ("kras_with_tp53", "KRAS mutation with TP53 alteration", "kras_mutation", "tp53_altered", 1, "PMID:28039262"),
)
"""Pairs whose effect is not the sum of the two (KRAS with STK11: 7% respond, with TP53: 36%; PMID 29773717)."""

MATCH = "target_match"
MATCH_FAMILIES = TARGETED
"""Families that use the match of the therapy with the findings, resistance, evidence level and clonality."""
MATCH_STATES: tuple[tuple[str, str, Sign], ...] = (
    ("target_matched", "matched", 1),
    ("target_wrong_class", "wrong_class", 0),
    ("target_wild_type", "unmatched", -1),
    ("target_not_detected", "not_detected", 0),
    ("target_untested", "untested", 0),
)
"""One-hot of the match; all 0 is a therapy that is not chosen by an alteration."""

_MATCH_SOURCE = "doi:10.1200/JCO.2017.75.3780"
"""MyPathway: 23% of 230 respond when matched on evidence."""

REST: tuple[Column, ...] = (
    *(
        Column(name, MATCH, "alterations", "flag", sign, _MATCH_SOURCE if sign else "", "never", MATCH_FAMILIES)
        for name, _, sign in MATCH_STATES
    ),
    Column(
        "resistance_present",
        "resistance_present",
        "alterations",
        "flag",
        -1,
        "PMID:15737014",
        "indicator",
        MATCH_FAMILIES,
    ),
    Column(
        "match_evidence_level", "match_evidence_level", "alterations", "1", 1, _MATCH_SOURCE, "never", MATCH_FAMILIES
    ),
    Column("match_clonality", "match_clonality", "alterations", "1", 1, "PMID:26957554", "indicator", MATCH_FAMILIES),
    Column("passengers_log1p", "passengers_log1p", "alterations", "log(1+count)", 0, "", "indicator", BOTH),
    Column(
        "clonal_haematopoiesis_log1p",
        "clonal_haematopoiesis_log1p",
        "alterations",
        "log(1+count)",
        0,
        "",
        "indicator",
        BOTH,
    ),
    Column("findings_from_blood", "findings_from_blood", "alterations", "flag", 0, "", "indicator", BOTH),
    Column("specimens_disagree", "specimens_disagree", "alterations", "flag", 0, "", "indicator", BOTH),
    Column(
        "small_cell_transformation",
        "small_cell_transformation",
        "alterations",
        "flag",
        -1,
        "PMID:21430269",
        "never",
        TARGETED,
    ),
)

_TOGETHER_COLUMNS = tuple(
    Column(name, name, "alterations", "flag", sign, source, "indicator", CHECKPOINT)
    for name, _, _, _, sign, source in TOGETHER
)

COLUMNS: tuple[Column, ...] = (*(status.column() for status in STATUSES), *_TOGETHER_COLUMNS, *REST)
"""All columns, in order."""

PLACE: dict[str, int] = {column.name: place for place, column in enumerate(COLUMNS)}
