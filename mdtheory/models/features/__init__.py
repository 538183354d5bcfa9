"""The unconstrained features model: its problem, its solvers, its bounds and its certificates."""
