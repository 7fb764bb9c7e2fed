from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faust
import pytest
from cryptography.hazmat.primitives import serialization
from rich.pretty import pretty_repr

from streams.config import Config, ConfigError, load
from streams.kafka.connection import (
    ConnectError,
    KafkaSettings,
    Mechanism,
    Protocol,
    arguments,
    credentials,
    fault,
    reach,
)
from tests.certificates import Authority

HERE = "127.0.0.1:9092,localhost:9093,[::1]:9094"
AWAY = "127.0.0.1:9092,broker.example:9092"
HUSH = "hush"
FILE = "password.txt"
NAMED: dict[str, Any] = {"username": "ana", "password": HUSH}


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Who signs the certificates."""
    return Authority("the test's own")


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> dict[str, str]:
    """Files of an authority, of a certificate with its key, and of a password."""
    content = {
        "ca_file": authority.pem,
        "cert_file": authority.certificate("client"),
        "password_file": "hush from a file\n",
    }
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in content}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (KafkaSettings(ca_file="ca.pem"),
         "kafka.ca_file is set, but kafka.protocol is PLAINTEXT, which has no TLS"),
        (KafkaSettings(protocol=Protocol.SASL_PLAINTEXT, cert_file="c.pem", **NAMED),
         "kafka.cert_file is set, but kafka.protocol is SASL_PLAINTEXT, which has no TLS"),
        (KafkaSettings(protocol=Protocol.SSL, key_file="k.pem"),
         "kafka.key_file is set, but not the certificate that it belongs to, kafka.cert_file"),
        (KafkaSettings(protocol=Protocol.SSL, username="ana"),
         "kafka.username is set, but kafka.protocol is SSL, which asks for no name"),
        (KafkaSettings(password=HUSH),
         "kafka.password is set, but kafka.protocol is PLAINTEXT, which asks for no name"),
        (KafkaSettings(protocol=Protocol.SASL_SSL, password=HUSH),
         "kafka.protocol is SASL_SSL, which needs kafka.username"),
        (KafkaSettings(protocol=Protocol.SASL_SSL, username="ana"),
         "kafka.protocol is SASL_SSL, which needs kafka.password_file or CRMWATCH_KAFKA_PASSWORD"),
        (KafkaSettings(protocol=Protocol.SASL_SSL, password_file=FILE, **NAMED),
         "kafka.password_file and CRMWATCH_KAFKA_PASSWORD are both set: which of them holds?"),
        (KafkaSettings(protocol=Protocol.SASL_PLAINTEXT, **NAMED),
         "kafka.protocol is SASL_PLAINTEXT, so the password's proof and all records would go to broker.example "
         "unencrypted: use SASL_SSL, or set kafka.allow_unencrypted"),
    ],
)  # fmt: skip
def test_settings_that_contradict_one_another_are_refused(settings: KafkaSettings, sentence: str) -> None:
    """In a sentence that names the setting, by itself and by every client, and without the password."""
    assert fault(AWAY, settings) == sentence
    with pytest.raises(ConnectError) as caught:
        arguments(AWAY, settings)
    assert str(caught.value) == sentence
    assert "hush" not in sentence


@pytest.mark.parametrize(
    ("bootstrap", "settings"),
    [
        (AWAY, KafkaSettings()),
        (AWAY, KafkaSettings(protocol=Protocol.SSL)),
        (AWAY, KafkaSettings(protocol=Protocol.SASL_SSL, **NAMED)),
        (HERE, KafkaSettings(protocol=Protocol.SASL_PLAINTEXT, **NAMED)),
        (AWAY, KafkaSettings(protocol=Protocol.SASL_PLAINTEXT, allow_unencrypted=True, **NAMED)),
    ],
)
def test_settings_that_go_together_are_taken(bootstrap: str, settings: KafkaSettings) -> None:
    """A password goes through TLS, stays on this machine, or is allowed to go openly."""
    assert fault(bootstrap, settings) is None


@pytest.mark.parametrize("away", ["127.0.0.1.example:1", "localhost.example:1", "0.0.0.0:1", "10.0.0.1:1"])
def test_what_only_looks_like_this_machine_is_another(away: str) -> None:
    """Names that begin like the loopback's are no loopback."""
    assert fault(away, KafkaSettings(protocol=Protocol.SASL_PLAINTEXT, **NAMED)) is not None


def test_clients_get_what_is_set(files: dict[str, str]) -> None:
    """kafka-python's and aiokafka's arguments and Faust's credentials say the same, TLS verifies name and signer."""
    settings = KafkaSettings(
        protocol=Protocol.SASL_SSL, sasl_mechanism=Mechanism.SCRAM_SHA_256, username="ana", **files
    )
    found = arguments("one:1, two:2", settings)
    context = found.pop("ssl_context")
    assert found == {
        "bootstrap_servers": ["one:1", "two:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "ana",
        "sasl_plain_password": "hush from a file",
    }
    given = credentials(settings)
    assert isinstance(given, faust.SASLCredentials)
    assert (given.protocol.value, given.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-256")
    assert (given.username, given.password) == ("ana", "hush from a file")
    for one in (context, given.ssl_context):
        assert one.check_hostname
        assert one.verify_mode is ssl.CERT_REQUIRED
        assert one.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert [found["subject"] for found in one.get_ca_certs()] == [((("commonName", "the test's own"),),)]


def test_tls_without_a_password_and_neither_are_what_they_say(files: dict[str, str]) -> None:
    """Neither takes a name along, and Faust's credentials for TLS are of TLS."""
    plain, tls = KafkaSettings(), KafkaSettings(protocol=Protocol.SSL, ca_file=files["ca_file"])
    assert arguments("one:1", plain) == {"bootstrap_servers": ["one:1"], "security_protocol": "PLAINTEXT"}
    assert credentials(plain) is None
    assert set(arguments("one:1", tls)) == {"bootstrap_servers", "security_protocol", "ssl_context"}
    given = credentials(tls)
    assert isinstance(given, faust.SSLCredentials)
    assert given.protocol.value == "SSL"
    assert given.context.verify_mode is ssl.CERT_REQUIRED


def _encrypted(pem: str) -> str:
    key = serialization.load_pem_private_key(pem.encode(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    ).decode()


@pytest.mark.parametrize(
    ("name", "spoil", "told"),
    [
        ("ca_file", None, "cannot be read: No such file or directory"),
        ("ca_file", lambda text: "none", "holds no certificate in PEM"),
        ("ca_file", lambda text: "", "holds no certificate in PEM"),
        ("cert_file", None, "cannot be read: No such file or directory"),
        ("cert_file", lambda text: text.partition("-----BEGIN CERT")[0], "are no certificate in PEM and"),
        ("cert_file", lambda text: "-----BEGIN CERT" + text.partition("-----BEGIN CERT")[2],
         "are no certificate in PEM and"),
        ("cert_file", lambda text: _encrypted(text) + "-----BEGIN CERT" + text.partition("-----BEGIN CERT")[2],
         "the unencrypted key that belongs to it"),
        ("password_file", None, "cannot be read: No such file or directory"),
        ("password_file", lambda text: "\r\n", "is empty"),
        ("password_file", lambda text: "hush\udcff", "is not UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_will_not_do_is_named(
    name: str, spoil: Callable[[str], str] | None, told: str, files: dict[str, str]
) -> None:
    """With its setting and the reason, without asking anybody for a passphrase, and without what is in it."""
    path = Path(files[name])
    if spoil is None:
        path.unlink()
    else:
        path.write_text(spoil(path.read_text()), "utf-8", "surrogateescape")
    settings = KafkaSettings(protocol=Protocol.SASL_SSL, username="ana", **files)
    with pytest.raises(ConnectError, match=rf"^kafka\.{name}: {path} .*{told}") as caught:
        arguments("one:1", settings)
    assert "hush" not in f"{caught.value}{caught.value.__cause__!r}"


def test_the_password_is_never_shown() -> None:
    """Neither by the settings' text, nor within others', nor by rich's; whether there is one is."""
    environment = {"CRMWATCH_KAFKA_PROTOCOL": "SASL_SSL", "CRMWATCH_KAFKA_USERNAME": "ana"}
    config = load(None, environment | {"CRMWATCH_KAFKA_PASSWORD": "hush"})
    assert config.kafka.password == HUSH
    for shown in (repr(config.kafka), str(config.kafka), repr(config), pretty_repr(config)):
        assert "hush" not in shown
        assert "username='ana', password='(hidden)'" in " ".join(shown.split())
    assert "password=None" in repr(Config().kafka)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("password = 'hush'",
         "kafka.password is not allowed in this file: set kafka.password_file, "
         "or CRMWATCH_KAFKA_PASSWORD in the environment"),
        ("protocol = 'TLS'",
         "kafka.protocol: this is one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL, not TLS"),
        ("sasl_mechanism = 'GSSAPI'",
         "kafka.sasl_mechanism: this is one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, not GSSAPI"),
        ("username = ''", "kafka.username: expected `str` of length >= 1"),
        ("protocol = 'SASL_SSL'", "kafka.protocol is SASL_SSL, which needs kafka.username"),
        ("user = 'ana'", "there is no setting kafka.user; did you mean username?"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_section_is_said(text: str, sentence: str, tmp_path: Path) -> None:
    """When the settings are read, by the file and the key."""
    path = tmp_path / "crmwatch.toml"
    path.write_text(f"[kafka]\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value) == f"{path}: {sentence}"


# --- reaching


def _serve(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    answer(connection)

        threading.Thread(target=run, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def web() -> Iterator[str]:
    """Something that listens, and is no Kafka."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    yield from _serve(answer)


def test_what_is_no_kafka_is_said_to_be_none(web: str) -> None:
    """Without TLS, and with TLS where there is none."""
    with pytest.raises(ConnectError) as caught:
        reach(web, KafkaSettings())
    assert (
        str(caught.value)
        == f"what answers at {web} is no Kafka that speaks as kafka.protocol says (PLAINTEXT)"
    )
    with pytest.raises(ConnectError, match=rf"^{web} does not speak as kafka\.protocol says \(SSL\): "):
        reach(web, KafkaSettings(protocol=Protocol.SSL))


@pytest.mark.parametrize(
    ("signer", "address", "days", "reason"),
    [
        ("another", "127.0.0.1", 1, "unable to get local issuer certificate"),
        ("own", "127.0.0.2", 1, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ("own", "127.0.0.1", -1, "certificate has expired"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_said_why(
    signer: str,
    address: str,
    days: int,
    reason: str,
    authority: Authority,
    files: dict[str, str],
    tmp_path: Path,
) -> None:
    """Signed by another, made out to another address, or expired: nothing is sent."""
    by = authority if signer == "own" else Authority("another")
    (tmp_path / "server.pem").write_text(by.certificate("server", address, until_days=days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    heard = []

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as spoken:
            heard.append(spoken.recv(1024))

    for server in _serve(answer):
        with pytest.raises(ConnectError) as caught:
            reach(server, KafkaSettings(protocol=Protocol.SSL, ca_file=files["ca_file"]))
        assert str(caught.value) == (
            f"the certificate of {server} is not trusted: {reason}; kafka.ca_file names the authorities that are"
        )
    assert heard == []


def test_one_server_of_several_is_enough(web: str) -> None:
    """Those that are not there are passed over; if none is, all addresses are repeated."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = f"127.0.0.1:{closed.getsockname()[1]}"
    kafka = b"\x00\x00\x00\x06" + b"\x00\x00\x00\x01" + b"\x00\x00"
    for server in _serve(lambda connection: connection.sendall(kafka)):
        reach(f"{gone},{web},{server}", KafkaSettings())
    with pytest.raises(ConnectError) as caught:
        reach(f"{gone},{gone}", KafkaSettings())
    assert str(caught.value) == f"nothing answers at {gone},{gone}: is Kafka running there?"
