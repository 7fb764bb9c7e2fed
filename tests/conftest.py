"""What all tests share: one real Kafka broker, and topic names that no other test uses.

Importing this module loads neither Kafka nor the streams, so the tests of the pure detector start without them.
"""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import msgspec
import pytest

if TYPE_CHECKING:
    from streams.kafka.embedded.broker import Broker
    from streams.kafka.topics import TopicNames

# A background job ignores Ctrl-C, and its children inherit that; the tests need the default.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is slow, which says nothing about the code.
hypothesis.settings.register_profile(
    "crmwatch", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("crmwatch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the broker ``kafka``, and those that use Chromium ``browser`` and ``slow``.

    A test that starts a broker of its own is marked by hand.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "kafka" in fixtures:
            item.add_marker("kafka")
        if "chromium" in fixtures:
            item.add_marker("browser")
            item.add_marker("slow")


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """One broker for the whole session, started when the first test asks for it; leave it running."""
    from streams.kafka.embedded.broker import Broker

    with Broker() as broker:
        yield broker


@pytest.fixture
def names() -> TopicNames:
    """Names for a pipeline of this test's own, so that tests can share the broker."""
    from streams.kafka.topics import TopicNames

    prefix = f"t{uuid.uuid4().hex[:8]}"
    return TopicNames(
        **{key: f"{prefix}.{name}" for key, name in msgspec.structs.asdict(TopicNames()).items()}
    )
