"""The environment of a pod."""

import os
import sys
from pathlib import Path

import pytest

from bgconsumer.config import ConfigError, load
from tests.unit.waiting import finished

GOOD = {
    "KAFKA_BOOTSTRAP_SERVERS": "a:9092,b:9092",
    "KAFKA_CONSUMER_GROUP": "cc_order_demo_blue",
    "KAFKA_TOPICS": "order-events, order-retries,",
    "KAFKA_LEDGER_TOPIC": "order-ledger",
    "BG_COLOUR": "blue",
    "BG_APP": "order-consumer",
    "BG_NAMESPACE": "orders",
    "POD_NAME": "order-consumer-blue-1",
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}


def test_defaults():
    config = load(GOOD)
    assert config.topics == ["order-events", "order-retries"]
    assert config.api_server == "https://10.0.0.1:443"
    assert (config.kafka_enabled, config.hot_standby, config.lease_seconds) == (True, True, 60)
    assert (config.http_port, config.processing_seconds, config.token, config.record_file) == (8080, 0, "", None)


def test_every_variable():
    config = load(
        {
            **GOOD,
            "BG_STANDBY": "cold",
            "BG_LEASE_SECONDS": "30",
            "HTTP_PORT": "9000",
            "PROCESSING_MS": "250",
            "BG_TOKEN": "secret",
            "BG_API_SERVER": "https://api:6443/",
            "BG_RECORD_FILE": "/tmp/record.json",
        }
    )
    assert (config.hot_standby, config.lease_seconds, config.http_port) == (False, 30, 9000)
    assert (config.processing_seconds, config.token) == (0.25, "secret")
    assert (config.api_server, config.record_file) == ("https://api:6443", Path("/tmp/record.json"))


def test_a_plain_listener_needs_nothing():
    assert load(GOOD).kafka_security == {}


def test_secured_listeners(tmp_path):
    ca, certificate, key = (str(tmp_path / name) for name in ("ca", "certificate", "key"))
    for path in (ca, certificate, key):
        Path(path).touch()
    user = {"KAFKA_SASL_PLAIN_USERNAME": "order", "KAFKA_SASL_PLAIN_PASSWORD": "of a Secret"}
    config = load(
        {
            **GOOD,
            **user,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SSL_CAFILE": ca,
        }
    )
    assert config.kafka_security == {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": ca,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "order",
        "sasl.password": "of a Secret",
    }
    assert "of a Secret" not in repr(config)
    mutual = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTFILE": certificate, "KAFKA_SSL_KEYFILE": key}
    assert load({**GOOD, **mutual}).kafka_security == {
        "security.protocol": "SSL",
        "ssl.certificate.location": certificate,
        "ssl.key.location": key,
    }


def test_faults_of_secured_listeners_are_listed_and_name_no_password():
    with pytest.raises(ConfigError) as caught:
        load(
            {
                **GOOD,
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": "GSSAPI",
                "KAFKA_SASL_PLAIN_PASSWORD": "of a Secret",
                "KAFKA_SSL_CAFILE": "/no/ca",
                "KAFKA_SSL_KEYFILE": "/no/key",
            }
        )
    text = str(caught.value)
    for fault in (
        "KAFKA_SASL_MECHANISM is 'GSSAPI'",
        "KAFKA_SASL_PLAIN_USERNAME is not set",
        "KAFKA_SSL_CAFILE /no/ca cannot be read",
        "a client certificate needs both",
    ):
        assert fault in text
    assert "of a Secret" not in text


def test_ipv6_api_server():
    assert load({**GOOD, "KUBERNETES_SERVICE_HOST": "fd00::1"}).api_server == "https://[fd00::1]:443"


def test_kafka_disabled_needs_no_kafka_settings():
    config = load(
        {name: value for name, value in GOOD.items() if not name.startswith("KAFKA_")} | {"KAFKA_ENABLED": "0"}
    )
    assert not config.kafka_enabled


def test_all_faults_in_one_message():
    bad = {"BG_COLOUR": "red", "BG_STANDBY": "warm", "HTTP_PORT": "-1", "BG_LEASE_SECONDS": "1", "KAFKA_ENABLED": "yes"}
    with pytest.raises(ConfigError) as error:
        load(bad)
    for fragment in (
        "KAFKA_ENABLED is 'yes'",
        "BG_COLOUR is 'red', expected blue or green",
        "BG_STANDBY is 'warm'",
        "HTTP_PORT is '-1'",
        "BG_LEASE_SECONDS is '1', expected a whole number from 3 to 3600",
        "BG_APP is not set",
        "POD_NAME is not set",
        "BG_RECORD_FILE",
    ):
        assert fragment in str(error.value)


@pytest.mark.parametrize(
    "name", ["KAFKA_BOOTSTRAP_SERVERS", "KAFKA_CONSUMER_GROUP", "KAFKA_TOPICS", "KAFKA_LEDGER_TOPIC"]
)
def test_kafka_settings_are_required(name):
    with pytest.raises(ConfigError, match=name):
        load({**GOOD, name: " "})


def test_topics_of_commas_only():
    with pytest.raises(ConfigError, match="KAFKA_TOPICS"):
        load({**GOOD, "KAFKA_TOPICS": " , "})


def test_process_exits_2_with_the_faults():
    sources = Path(__file__).parents[2] / "consumers" / "python"
    run = finished(
        [sys.executable, "-m", "bgconsumer"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(sources), "BG_COLOUR": "blue"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert "POD_NAME is not set" in run.stderr
    assert len(run.stderr.splitlines()) == 1
