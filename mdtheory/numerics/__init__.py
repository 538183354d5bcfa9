"""Arithmetic that knows no loss and no model: double-double, balls, bounds over boxes, expressions, roots and decimals."""
