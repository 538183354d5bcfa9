"""Theorems as data, and what checks them."""
