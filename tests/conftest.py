"""What all tests share: one real Kafka broker, and topic names that no other test uses."""

from __future__ import annotations

import signal
import uuid
import warnings
from collections.abc import Iterator

import hypothesis
import msgspec
import pytest

with warnings.catch_warnings():
    # On some Pythons kafka-python 3.0 uses a deprecated function while it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka as _  # noqa: F401

from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames

# What is started in the background has been told to ignore Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is slow; that says nothing of what is tested.
hypothesis.settings.register_profile(
    "crmwatch", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("crmwatch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the broker, so that ``-m "not kafka"`` leaves it out."""
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """One broker for the whole session, started when the first test asks for it; leave it running."""
    with Broker() as broker:
        yield broker


@pytest.fixture
def names() -> TopicNames:
    """Names for a pipeline of this test's own, so that tests can share the broker."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    return TopicNames(
        **{key: f"{prefix}.{name}" for key, name in msgspec.structs.asdict(TopicNames()).items()}
    )
