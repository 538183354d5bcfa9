"""Sphinx configuration: `sphinx-build docs docs/_build`."""

import mdtheory

project = "mdtheory"
author = "The mdtheory developers"
release = mdtheory.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
autodoc_typehints = "none"
html_theme = "alabaster"
