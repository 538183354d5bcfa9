"""Squared error: soft-thresholded spectra."""
