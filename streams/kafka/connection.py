"""How clients connect to Kafka: plain, with TLS, with user name and password; the same for every client.

`arguments` turns `KafkaSettings` into the arguments of aiokafka and kafka-python, `credentials` into Faust's.
Errors name the setting and never show the password.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import msgspec

from detector.errors import CrmwatchError

__all__ = [
    "PLAIN",
    "ConnectError",
    "KafkaSettings",
    "Mechanism",
    "Protocol",
    "arguments",
    "credentials",
    "fault",
    "reach",
    "refusal",
    "speaks_kafka",
]

REACH_SECONDS = 15.0
HANG_UP_SECONDS = 0.1
"""TLS closes in some turns of the event loop that nobody can wait for."""
HIDDEN = "(hidden)"

Text = Annotated[str, msgspec.Meta(min_length=1)]


class ConnectError(CrmwatchError, ValueError):
    """Why Kafka cannot be reached with these settings; one sentence for a person."""


class Protocol(StrEnum):
    """A listener's protocol, by Kafka's names."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def encrypts(self) -> bool:
        """Whether the connection uses TLS."""
        return self in (Protocol.SSL, Protocol.SASL_SSL)

    @property
    def asks(self) -> bool:
        """Whether the client authenticates with user name and password."""
        return self in (Protocol.SASL_PLAINTEXT, Protocol.SASL_SSL)


class Mechanism(StrEnum):
    """The SASL mechanism: the password in plain text, or a SCRAM proof of it."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the connection to the brokers."""

    protocol: Protocol = Protocol.PLAINTEXT
    ca_file: Text | None = None
    """The CA certificates (PEM) to check the brokers' certificates against; without it, the system's."""
    cert_file: Text | None = None
    """The client's own certificate (PEM), if brokers ask for one."""
    key_file: Text | None = None
    """The certificate's key (PEM, not encrypted), if it is not in the same file."""
    sasl_mechanism: Mechanism = Mechanism.SCRAM_SHA_512
    username: Text | None = None
    password: Text | None = None
    """Never shown; from the environment only."""
    password_file: Text | None = None
    """A file that holds only the password; read whenever a client connects."""
    allow_unencrypted: bool = False
    """Whether to allow a password without TLS to another machine."""

    def __repr__(self) -> str:
        return f"KafkaSettings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [
            (name, HIDDEN if name == "password" and value is not None else value)
            for name, value in msgspec.structs.asdict(self).items()
        ]


PLAIN = KafkaSettings()
"""Without TLS and without authentication, for this machine."""


def fault(bootstrap: str, settings: KafkaSettings) -> str | None:
    """The conflict between the settings, in a sentence; None if there is none.

    >>> fault("127.0.0.1:9092", KafkaSettings(username="crmwatch"))
    'kafka.username is set, but kafka.protocol is PLAINTEXT, which asks for no name'
    """
    protocol = settings.protocol
    if not protocol.encrypts:
        for name in ("ca_file", "cert_file", "key_file"):
            if getattr(settings, name) is not None:
                return f"kafka.{name} is set, but kafka.protocol is {protocol}, which has no TLS"
    if settings.key_file is not None and settings.cert_file is None:
        return "kafka.key_file is set, but not the certificate that it belongs to, kafka.cert_file"
    if not protocol.asks:
        for name in ("username", "password", "password_file"):
            if getattr(settings, name) is not None:
                return f"kafka.{name} is set, but kafka.protocol is {protocol}, which asks for no name"
        return None
    if settings.username is None:
        return f"kafka.protocol is {protocol}, which needs kafka.username"
    if settings.password is None and settings.password_file is None:
        return f"kafka.protocol is {protocol}, which needs kafka.password_file or CRMWATCH_KAFKA_PASSWORD"
    if settings.password is not None and settings.password_file is not None:
        return "kafka.password_file and CRMWATCH_KAFKA_PASSWORD are both set: which of them holds?"
    abroad = [host for host, _ in _addresses(bootstrap) if not _is_here(host)]
    if abroad and not protocol.encrypts and not settings.allow_unencrypted:
        return (
            f"kafka.protocol is {protocol}, so the password's proof and all records would go to {abroad[0]} "
            "unencrypted: use SASL_SSL, or set kafka.allow_unencrypted"
        )
    return None


def arguments(bootstrap: str, settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments for any client of aiokafka's or kafka-python's. Raises `ConnectError`.

    >>> arguments("one:9092,two:9092", KafkaSettings())
    {'bootstrap_servers': ['one:9092', 'two:9092'], 'security_protocol': 'PLAINTEXT'}
    """
    wrong = fault(bootstrap, settings)
    if wrong:
        raise ConnectError(wrong)
    found: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in bootstrap.split(",")],
        "security_protocol": settings.protocol.value,
    }
    if settings.protocol.encrypts:
        found["ssl_context"] = _tls(settings)
    if settings.protocol.asks:
        found["sasl_mechanism"] = settings.sasl_mechanism.value
        found["sasl_plain_username"] = settings.username
        found["sasl_plain_password"] = _password(settings)
    return found


def credentials(settings: KafkaSettings) -> Any:
    """The same as Faust's ``broker_credentials``; None for a plain listener. Raises `ConnectError`."""
    import faust  # only a worker needs it

    context = _tls(settings) if settings.protocol.encrypts else None
    if settings.protocol.asks:
        # Without a context Faust would not encrypt, whatever the other settings say.
        return faust.SASLCredentials(
            username=settings.username,
            password=_password(settings),
            mechanism=settings.sasl_mechanism.value,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def reach(bootstrap: str, settings: KafkaSettings) -> None:
    """Try a first request to a broker with these settings. Raises `ConnectError` if none answers.

    Call it before creating a client: a client retries, loses the reason (kafka-python even a wrong password, if the
    broker closes the connection at once), and keeps a thread. Do not call it from an event loop.
    """
    context = _tls(settings) if settings.protocol.encrypts else None
    reasons = []
    for host, port in _addresses(bootstrap):
        where, connected = f"{host}:{port}", False
        try:
            with socket.create_connection((host, port or 0), timeout=REACH_SECONDS) as plain:
                connected = True
                if context is None:
                    spoken = speaks_kafka(plain)
                else:
                    with context.wrap_socket(plain, server_hostname=host) as tls:
                        spoken = speaks_kafka(tls)
        except ssl.SSLCertVerificationError as error:
            reasons.append(
                f"the certificate of {where} is not trusted: {error.verify_message.rstrip('.')}; "
                "kafka.ca_file names the authorities that are"
            )
        except ssl.SSLError as error:
            alert = (error.reason or "").replace("_", " ").lower()
            reasons.append(f"{where} does not speak as {_as_set(settings)}: {alert or error}")
        except (OSError, ValueError, OverflowError) as error:
            if connected:
                reasons.append(f"{where} does not speak as {_as_set(settings)}: {error}")
        else:
            if spoken and settings.protocol.asks:
                _log_in(host, port or 0, bootstrap, settings)
            if spoken:
                return
            reasons.append(f"what answers at {where} is no Kafka that speaks as {_as_set(settings)}")
    raise ConnectError(reasons[0] if reasons else f"nothing answers at {bootstrap}: is Kafka running there?")


def _log_in(host: str, port: int, bootstrap: str, settings: KafkaSettings) -> None:
    from aiokafka.conn import create_conn
    from aiokafka.errors import KafkaError

    given = arguments(bootstrap, settings)
    del given["bootstrap_servers"]

    async def log_in() -> None:
        try:
            connection = await create_conn(host, port, request_timeout_ms=int(REACH_SECONDS * 1000), **given)
            connection.close()
        finally:
            await asyncio.sleep(HANG_UP_SECONDS)

    try:
        asyncio.run(log_in())
    except KafkaError as error:
        told = refusal(error, bootstrap, settings)
        raise ConnectError(told or f"{host}:{port} does not let {settings.username} in: {error}") from error


def speaks_kafka(connection: socket.socket) -> bool:
    """Whether the peer answers ApiVersions, which a broker does before authentication.

    Raises `OSError` if the connection breaks.
    """
    request = struct.pack(">hhih", 18, 0, 1, -1)  # ApiVersions, version 0, correlation id 1, no client id
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as answer:
        head = answer.read(10)
    return len(head) == 10 and struct.unpack(">iih", head)[1:] == (1, 0)  # length, correlation id, error code


def refusal(error: Exception, bootstrap: str, settings: KafkaSettings) -> str | None:
    """Why a client was refused, in a sentence; None if its error is about something else."""
    from aiokafka import errors as aio  # both clients have their own of each
    from kafka import errors as sync

    where = f"the Kafka at {bootstrap}"
    if isinstance(error, (aio.SaslAuthenticationFailed, sync.SaslAuthenticationFailedError)):
        return f"{where} refuses {settings.username}: it does not know this name and password"
    if isinstance(error, (aio.UnsupportedSaslMechanismError, sync.UnsupportedSaslMechanismError)):
        return f"{where} takes no {settings.sasl_mechanism}: set another kafka.sasl_mechanism"
    if isinstance(error, (aio.KafkaTimeoutError, sync.KafkaTimeoutError)):
        return f"{where} does not answer as {_as_set(settings)}: does it listen so on this port?"
    return None


def _as_set(settings: KafkaSettings) -> str:
    mechanism = f" with {settings.sasl_mechanism}" if settings.protocol.asks else ""
    return f"kafka.protocol says ({settings.protocol}{mechanism})"


def _addresses(bootstrap: str) -> list[tuple[str, int | None]]:
    found = []
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        found.append((host.strip("[]"), int(port) if port.isdecimal() else None))
    return found


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    """Python's defaults: at least TLS 1.2, and the certificate must match the broker's name."""
    for name in ("ca_file", "cert_file", "key_file"):
        if (path := getattr(settings, name)) is not None:
            _read(name, path)
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except ssl.SSLError as error:
        raise ConnectError(f"kafka.ca_file: {settings.ca_file} holds no certificate in PEM") from error
    if settings.cert_file is not None:
        try:
            # Never prompt for a passphrase: nobody is there to type it.
            context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: "")
        except (ssl.SSLError, ValueError) as error:
            where = (
                f"{settings.cert_file} and {settings.key_file}" if settings.key_file else settings.cert_file
            )
            raise ConnectError(
                f"kafka.cert_file: {where} are no certificate in PEM and the unencrypted key that belongs to it"
            ) from error
    return context


def _password(settings: KafkaSettings) -> str | None:
    if settings.password_file is None:
        return settings.password
    try:
        password = _read("password_file", settings.password_file).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        # Without the cause, which quotes what it could not read.
        raise ConnectError(f"kafka.password_file: {settings.password_file} is not UTF-8") from None
    if not password:
        raise ConnectError(f"kafka.password_file: {settings.password_file} is empty")
    return password


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConnectError(f"kafka.{name}: {path} cannot be read: {error.strerror}") from error
