"""How a model is fitted and judged: splits, fit, metrics, evaluation, report, MLflow."""
