"""Makes pages of the documents: the guide, the reference, the design.

The sources are the whole repository, so that links between documents are the same on
these pages as on a code forge: ``sphinx-build -W -c docs . build/docs``.
"""

import biggus

project = "biggus"
author = "the biggus developers"
copyright = author
version = release = biggus.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx.ext.viewcode"]
include_patterns = [
    "docs/**",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "benchmarks/README.md",
]
root_doc = "docs/index"
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]

autodoc_typehints = "none"  # the docstrings say more
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(numpy|matplotlib|concurrent|zarr|h5py|netCDF4|asyncio)\..*")]

html_theme = "furo"
html_title = f"biggus {version}"
