"""Optimal margins, class means and collapse of the unconstrained features model."""
