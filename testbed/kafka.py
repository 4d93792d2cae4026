"""Three Apache Kafka brokers (KRaft, each one broker and controller): configuration, jars and commands."""

from __future__ import annotations

import base64
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from testbed import cache, secured, settings
from testbed.processes import CommandError, run
from testbed.settings import Settings

SOURCE = Path(__file__).parent / "kafka"
# By its full path: another Java may come first on somebody's PATH.
JAVA = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java"
JAVA_OPTIONS = ["-XX:+UseSerialGC", "-Xshare:auto", "-Djava.awt.headless=true"]


@dataclass(frozen=True)
class Listener:
    """One listener of every broker.

    Attributes:
        name: listener name.
        port: TCP port, the same on all brokers.
        protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        controller: carries the KRaft quorum instead of clients; it is not advertised.
        properties: further settings, put behind ``listener.name.<name>.``.
    """

    name: str
    port: int
    protocol: str = "PLAINTEXT"
    controller: bool = False
    properties: tuple[tuple[str, str], ...] = ()


def listeners_of(number: int) -> tuple[Listener, ...]:
    """Listeners of broker ``number``; the brokers use the first among themselves."""
    one = ("SCRAM-SHA-512",)
    return (
        Listener("CLIENTS", 9092),
        Listener("CONTROLLER", 9093, controller=True),
        Listener(
            "SASL",
            9094,
            "SASL_SSL",
            properties=(*secured.tls_properties(number, mutual=False), *secured.sasl_properties()),
        ),
        Listener("MTLS", 9095, "SSL", properties=secured.tls_properties(number, mutual=True)),
        Listener("SCRAM", 9096, "SASL_PLAINTEXT", properties=secured.scram_properties(one)),
    )


def server_properties(number: int, chosen: Settings, extra: tuple[Listener, ...] = ()) -> str:
    """Text of ``server.properties`` of broker ``number``, with further listeners."""
    listeners = (*listeners_of(number), *extra)
    numbers = range(1, settings.BROKER_COUNT + 1)
    controller = next(listener for listener in listeners if listener.controller)
    voters = ",".join(f"{each}@{chosen.broker_address(each)}:{controller.port}" for each in numbers)
    properties = {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": voters,
        "log.dirs": str(data_directory(number)),
        **_listener_properties(chosen.broker_address(number), listeners),
        "default.replication.factor": "3",
        "min.insync.replicas": "2",
        "offsets.topic.replication.factor": "3",
        # The default of 50 only makes the start slower.
        "offsets.topic.num.partitions": "5",
        "transaction.state.log.replication.factor": "3",
        "transaction.state.log.min.isr": "2",
        "transaction.state.log.num.partitions": "5",
        "share.coordinator.state.topic.replication.factor": "3",
        "share.coordinator.state.topic.min.isr": "2",
        "auto.create.topics.enable": "false",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": secured.SUPER_USERS,
        # group.initial.rebalance.delay.ms stays at its default of 3 s: 0 would flatter everything measured here.
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _listener_properties(address: str, listeners: tuple[Listener, ...]) -> dict[str, str]:
    clients = [listener for listener in listeners if not listener.controller]
    properties = {
        "listeners": ",".join(f"{listener.name}://{address}:{listener.port}" for listener in listeners),
        "advertised.listeners": ",".join(f"{listener.name}://{address}:{listener.port}" for listener in clients),
        "listener.security.protocol.map": ",".join(f"{listener.name}:{listener.protocol}" for listener in listeners),
        "inter.broker.listener.name": clients[0].name,
        "controller.listener.names": ",".join(listener.name for listener in listeners if listener.controller),
    }
    for listener in listeners:
        for name, value in listener.properties:
            properties[f"listener.name.{listener.name.lower()}.{name}"] = value
    return properties


def log_config() -> str:
    """Text of the brokers' log4j2 configuration."""
    return (SOURCE / "log4j2.properties").read_text()


def data_directory(number: int) -> Path:
    """Where broker ``number`` keeps its log segments."""
    return settings.STATE_DIR / "kafka" / str(number)


def properties_file(number: int) -> Path:
    """Where the configuration of broker ``number`` is written."""
    return settings.STATE_DIR / "config" / f"kafka-{number}.properties"


def jars_key() -> str:
    """Cache key of the jars."""
    return cache.key(SOURCE / "pom.xml")


def jars() -> Path:
    """Directory with the jars, fetched by Maven with the user's own settings when it is not cached yet."""

    def build(directory: Path) -> None:
        shutil.copy(SOURCE / "pom.xml", directory / "pom.xml")
        goal = "dependency:copy-dependencies"
        # Absolute and outside of target/, because the directory gets another name when it is complete.
        output = f"-DoutputDirectory={directory / 'jars'}"
        run(
            ["mvn", "--batch-mode", "--quiet", goal, output, "-DincludeScope=runtime"], directory=directory, timeout=900
        )
        if not list((directory / "jars").glob("kafka_2.13-*.jar")):
            raise CommandError("mvn dependency:copy-dependencies ended well, but the broker's jar is not there")

    return cache.entry("kafka", jars_key(), build)


def classpath() -> str:
    """Java class path of brokers and tools."""
    return str(cache.entry_path("kafka", jars_key()) / "jars" / "*")


def new_cluster_id() -> str:
    """A random cluster id in Kafka's form: 22 URL-safe base64 characters, not beginning with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def format_command(number: int, cluster_id: str) -> list[str]:
    """Command that prepares an empty data directory."""
    tool = [JAVA, *JAVA_OPTIONS, "-cp", classpath(), "kafka.tools.StorageTool", "format"]
    return [*tool, "-t", cluster_id, "-c", str(properties_file(number)), *secured.format_options()]


def broker_command(number: int, chosen: Settings) -> list[str]:
    """Command of one broker."""
    heap = [f"-Xmx{chosen.kafka_heap}"]
    logging = f"-Dlog4j2.configurationFile={settings.STATE_DIR / 'config' / 'log4j2.properties'}"
    java = [JAVA, *heap, *JAVA_OPTIONS, *secured.java_options(), logging, "-cp", classpath()]
    return [*java, "kafka.Kafka", str(properties_file(number))]
