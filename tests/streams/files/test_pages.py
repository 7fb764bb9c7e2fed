from __future__ import annotations

import pytest

from detector.adapters import ADAPTERS, Adapter, choose
from streams.files.framing import Frame
from streams.files.pages import Pages

TOY = Adapter(
    name="toy",
    sign="key toy",
    recognises=lambda record: b'"toy":' in record,
    event=ADAPTERS["salesforce_rtem"].event,
    page_keys=("toy_rows",),
)


def test_a_page_is_taken_apart_by_the_keys_that_the_adapters_name() -> None:
    """A key that one adapter names counts only where that adapter reads, and each record keeps its line."""
    page = Frame(b'{"next": null, "toy_rows": [\n{"toy": 1},\n{"toy": 2}]}', 5)
    pages = Pages([*ADAPTERS.values(), TOY])
    assert pages.is_page(page)
    assert list(pages.records(page)) == [Frame(b'{"toy": 1}', 6), Frame(b'{"toy": 2}', 7)]
    others = Pages(tuple(ADAPTERS.values()))
    assert not others.is_page(page)
    assert list(others.records(page)) == [page]


@pytest.mark.parametrize("key", ["audit_logs", "access_logs"])
def test_zendesks_pages_are_zendesks(key: str) -> None:
    """Its own keys open its pages, and no pages of a source that is read as another format."""
    page = Frame(b'{"%b": [{"a": 1}]}' % key.encode(), 1)
    assert Pages(choose("zendesk")).is_page(page)
    assert not Pages(choose("hubspot")).is_page(page)


def test_without_adapters_nothing_is_a_page() -> None:
    """No key is a page's, the empty one included."""
    assert not Pages(()).is_page(Frame(b'{"": [{"a": 1}]}', 1))
