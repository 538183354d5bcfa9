"""Deep linear features models."""
