"""Leading terms for small noise and small slopes."""
