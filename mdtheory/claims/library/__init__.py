"""The library: one claim a file, found by walking this package."""
