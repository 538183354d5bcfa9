"""Optimisers that know no model: nuclear-norm programmes, projected Newton's iteration and the door to conic solvers."""
