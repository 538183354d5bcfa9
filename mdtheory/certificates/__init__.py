"""Bounds on the optimum, recomputed from an answer alone; no solver is imported here."""
