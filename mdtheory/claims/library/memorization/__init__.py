"""Memorization and dilation on a given configuration."""
