from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.trait import agent_family, network


@given(st.text())
def test_any_text_is_a_network_and_an_agent(text: str) -> None:
    """Whatever a log says, it has a family, itself of no other family, in bounded length."""
    assert len(network(text)) <= 64
    assert len(agent_family(text)) <= 64
    assert bool(agent_family(text)) == bool(text)


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("curl/8.7.1", "curl"),
        ("Salesforce-Data-Loader 62.0.2", "Salesforce-Data-Loader"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari on iphone",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0 Safari/537.36", "headless browser on linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36 Edg/120.0", "Edge on windows"),
        ("4.7.1", "4.7.1"),
    ],
)
def test_agents_without_their_version(agent: str, family: str) -> None:
    """Programs by their name, browsers by what they are and on what."""
    assert agent_family(agent) == family
