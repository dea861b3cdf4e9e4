"""models/ is code, not artefacts: how a probability is formed, explained and stored.

Imported to answer: numpy, scipy and lightgbm (the latter only when a boosted term is there). scikit-learn is imported
inside the functions that fit, never to answer.
"""
