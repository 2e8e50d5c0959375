"""How the site is built. Knows nothing of what the pages say."""

import re
import sys
import textwrap

from docutils import nodes
from pydantic import BaseModel
from sphinx import addnodes
from sphinx.application import Sphinx

import llm_net

project = "llm_net"
author = "the llm_net contributors"
copyright = f"{author}, Apache-2.0"
release = llm_net.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.mermaid"]
exclude_patterns = ["_build"]
suppress_warnings = ["ref.python"]  # several modules have a class of one name: what is meant has its module before it

html_theme = "furo"
html_title = "llm_net"
html_extra_path = ["../llms.txt"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_fence_as_directive = ["mermaid"]  # a fence as GitHub draws it too
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource", "exclude-members": "model_config"}
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88


def block(fence: re.Match[str]) -> str:
    """A fenced block as a directive."""
    indent, language, code = fence.groups()
    return f"{indent}.. code-block:: {language}\n\n{textwrap.indent(code, '   ')}"


def whole(kind: type, name: str) -> str:
    """A name in an annotation of a class, with its module where it is a class of ours: several have one name."""
    meant = getattr(sys.modules[kind.__module__], name, None)
    if isinstance(meant, type) and meant.__module__.startswith("llm_net"):
        return f"~{meant.__module__}.{meant.__qualname__}"
    return name


def docstring(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Turn what our docstrings have of Markdown into what autodoc reads, and list the fields of pydantic models."""
    text = re.sub(r"(?m)^( *)```(\w*)\n((?:.*\n)*?)\1```$", block, "\n".join(lines))
    text = re.sub(r"(?<!`)`([^`\n]+)`(?!`)", r"``\1``\\ ", text)
    if what == "module":  # a tree or a picture, indented, stays as it is drawn
        text = re.sub(r"\n\n(?=    \S)", "\n\n::\n\n", text, count=1)
    elif what in ("attribute", "data", "property"):  # napoleon takes what the first line has before a colon for a type
        text = f"\\ \n{text}"
    elif isinstance(thing, type) and issubclass(thing, BaseModel):
        for field, annotation in vars(thing).get("__annotations__", {}).items():
            if field in thing.model_fields:
                if not re.search(rf"(?m)^ +(\w+, )*{field}(, \w+)*: ", text):  # else it is told among the Args
                    text += f"\n:param {field}: {thing.model_fields[field].description or ''}"
                told = re.sub(r"Annotated\[(\w+), [^]]*]", r"\1", str(annotation))
                told = re.sub(r"(?<![.\w])[A-Z]\w+\b", lambda name: whole(thing, name[0]), told)
                text += f"\n:type {field}: {told}"
    lines[:] = text.split("\n")


def signature(
    app: Sphinx, what: str, name: str, thing: object, options: object, arguments: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """Leave out the signature of a pydantic model: its fields are listed below."""
    if isinstance(thing, type) and issubclass(thing, BaseModel):
        return "(**fields)", None
    return arguments and arguments.replace("<factory>", "..."), result


def values(app: Sphinx, page: nodes.document) -> None:
    """Leave out a value that is longer than a line."""
    for value in list(page.findall(addnodes.desc_annotation)):
        if value.astext().startswith(" = ") and len(value.astext()) > 80:
            value.parent.remove(value)


def setup(app: Sphinx) -> None:
    """Sphinx calls this once."""
    app.connect("autodoc-process-docstring", docstring, priority=400)  # before napoleon, at 500
    app.connect("autodoc-process-signature", signature)
    app.connect("doctree-read", values)
