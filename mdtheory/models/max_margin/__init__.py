"""The max-margin problem, the limit of small decay."""
