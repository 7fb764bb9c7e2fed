"""Several real brokers on this machine, for tests of what happens when one of them is lost."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from streams.kafka.embedded.broker import Broker
from streams.kafka.embedded.properties import Quorum, new_cluster_id

__all__ = ["Cluster"]


class Cluster:
    """Brokers that are controllers, too, and decide by majority: of three, one may be lost.

    Kafka's own topics are kept by three of them (or by as many as there are), and by default so are others; a
    write needs two of three. ``heap_mb`` is each one's heap in MiB, ``properties`` are Kafka's own, on top of ours.

    >>> with Cluster() as cluster:  # doctest: +SKIP
    ...     cluster.brokers[0].kill()
    ...     cluster.brokers[0].restart()
    """

    def __init__(
        self, count: int = 3, heap_mb: int = 320, properties: Mapping[str, str] | None = None
    ) -> None:
        self.brokers = tuple(
            Broker(heap_mb=heap_mb, properties=properties, number=number) for number in range(1, count + 1)
        )

    @property
    def bootstrap(self) -> str:
        """The addresses of all brokers, with commas, whether they run or not."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    def start(self) -> Self:
        """Start those that do not run, all at once, and wait until each answers. Raises `BrokerError`."""
        try:
            voters = tuple(broker.reserve().voter for broker in self.brokers)
            if not any(broker.running for broker in self.brokers):
                quorum = Quorum(new_cluster_id(), voters)
                for broker in self.brokers:
                    broker.join(quorum)
            with ThreadPoolExecutor(len(self.brokers)) as pool:
                list(pool.map(Broker.start, self.brokers))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all at once and remove their data."""
        # The last of a quorum cannot leave in good order: nobody is left to agree to it.
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(Broker.stop, self.brokers))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
