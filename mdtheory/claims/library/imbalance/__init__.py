"""Unequal class proportions: which classes merge, vanish or stay apart."""
