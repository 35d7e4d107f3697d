"""Sphinx's settings."""

import sys
from importlib.metadata import version as _version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "workqueue"
author = "The workqueue maintainers"
copyright = "2026, the workqueue maintainers"
release = _version("overview-plugin-workqueue")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_parser",
    "moves",
    "schemas",
    "command_line",
    "searches",
]
html_theme = "furo"
html_title = "workqueue"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
# `name` in a docstring names a piece of code.
default_role = "code"
exclude_patterns = ["_build"]
