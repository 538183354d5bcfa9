"""Solvers: from a problem to a solution."""
