"""Focal loss: curvature, jumps and pulls."""
