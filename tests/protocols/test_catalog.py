"""What is said of each protocol is true: its page has the diagrams of its rules, an example, and a place in the index."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_net.protocols.catalog import CATALOG, Entry
from llm_net.protocols.picture import sequence_of, states_of

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "how-to" / "protocols"
entries = pytest.mark.parametrize("entry", CATALOG.values(), ids=list(CATALOG))


@entries
def test_its_page_draws_it_as_it_is(entry: Entry) -> None:
    page = (PAGES / f"{entry.page}.md").read_text(encoding="utf-8")

    assert f"```mermaid\n{states_of(entry.rules)}\n```" in page
    assert f"```mermaid\n{sequence_of(entry.rules)}\n```" in page
    assert f"llm-net protocols {entry.rules.name}" in page


@entries
def test_its_page_names_an_example_that_is_there(entry: Entry) -> None:
    page, example = entry.documents

    assert (ROOT / example).is_file()
    assert example in (ROOT / page).read_text(encoding="utf-8")


@entries
def test_it_is_told_in_a_sentence(entry: Entry) -> None:
    assert 10 <= len(entry.about) <= 200
    assert entry.about.endswith(".")


@entries
def test_the_index_leads_to_its_page(entry: Entry) -> None:
    index = (PAGES / "index.md").read_text(encoding="utf-8")

    assert f"]({entry.page}.md)" in index
    assert f"\n{entry.page}\n" in index


@entries
def test_it_says_where_it_is_published(entry: Entry) -> None:
    assert entry.rules.source


def test_so_many_there_are() -> None:
    told = [ROOT / name for name in ("README.md", "CHANGELOG.md")]

    assert all(
        f"{len(CATALOG)} of them" in page.read_text() or f"{len(CATALOG)} protocols" in page.read_text()
        for page in told
    )
