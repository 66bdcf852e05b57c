"""Sphinx's settings: MyST pages, the furo theme. `make docs` builds with warnings as errors."""

from importlib.metadata import version as installed_version

project = "polycore"
author = "polycore contributors"
copyright = "2026, polycore contributors"
version = release = installed_version("polycore-trading")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"polycore {release}"
