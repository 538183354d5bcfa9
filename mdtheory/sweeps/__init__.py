"""Sweeps over parameters as labelled arrays: axes, chunks, processes, progress and a store that resumes."""
