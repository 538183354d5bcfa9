"""The library: one claim a file in a folder for each topic, found by walking this package.

Modules whose names begin with an underscore hold what several claims share.
"""
