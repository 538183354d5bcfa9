"""Questions about the models that are answered by a formula or by one equation: thresholds, imbalance, rank, regression."""
