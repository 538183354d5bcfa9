"""The problem types, one file each; `Model` in model.py says what a problem type owes, registry.py lists them."""
