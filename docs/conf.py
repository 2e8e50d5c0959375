"""How the site is built. Knows nothing of what the pages say."""

import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

project = "llm_net"
author = "the llm_net contributors"
copyright = f"{author}, Apache-2.0"  # noqa: A001  # Sphinx's own name for it
release = tomllib.loads(Path(__file__).parent.with_name("pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "llm_net"
html_extra_path = ["../llms.txt"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88


def markdown(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Turn what our docstrings have of Markdown into what autodoc reads: code in backticks, and drawn blocks."""
    text = "\n".join(lines)
    text = re.sub(r"(?<!`)`([^`\n]+)`(?!`)", r"``\1``\\ ", text)
    if what == "module":  # a tree or a picture, indented
        text = re.sub(r"\n\n(?=    \S)", "\n\n::\n\n", text, count=1)
    lines[:] = text.split("\n")


def setup(app: Sphinx) -> None:
    """Sphinx calls this once."""
    app.connect("autodoc-process-docstring", markdown, priority=400)  # before napoleon's, at 500
