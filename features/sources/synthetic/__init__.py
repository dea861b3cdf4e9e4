"""The embedded synthetic cohorts: cases with a known truth, for both families.

Marginals and effects come from published figures (``figures/*.csv``, each row with its source); response rates by
therapy, alteration, histology and line are those of the published arms. The truth of a case, the probability it was
drawn with given every field of the complete case, is kept apart in ``truth`` and is a sum of the eight groups.
See :mod:`~features.sources.synthetic.truth` for what is deliberately not the model's equation, and
:mod:`~features.sources.synthetic.outcomes` for the factor that nobody measures.
"""

from features.sources.synthetic.cohorts import SyntheticRequest, draw, write
from features.sources.synthetic.examples import example_case

__all__ = ["SyntheticRequest", "draw", "example_case", "write"]
