"""Arrangements of class means and of codes on spheres."""
