"""Listeners with TLS and SASL: their settings, certificates, users and tokens."""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from testbed import kafka, secured, settings

CHOSEN = settings.Settings(subnet=ipaddress.IPv4Network("10.50.4.0/22"), kafka_heap="400m")


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Everything of one life of a bed, in a directory of the test."""
    for name, path in vars(secured).copy().items():
        if name.isupper() and getattr(path, "parent", None) == secured.DIRECTORY:
            monkeypatch.setattr(secured, name, tmp_path / path.name)
    monkeypatch.setattr(secured, "DIRECTORY", tmp_path)
    secured.create(CHOSEN)
    return tmp_path


def properties(number):
    return dict(line.split("=", 1) for line in kafka.server_properties(number, CHOSEN).splitlines())


def test_the_plain_listener_stays_and_who_uses_it_may_do_everything():
    broker = properties(2)
    assert broker["listeners"].startswith("CLIENTS://10.50.4.12:9092,CONTROLLER://10.50.4.12:9093,")
    assert broker["inter.broker.listener.name"] == "CLIENTS"
    assert "User:ANONYMOUS" in broker["super.users"].split(";")
    assert broker["authorizer.class.name"].endswith(".StandardAuthorizer")
    assert "allow.everyone.if.no.acl.found" not in broker, "without an ACL nobody else may do anything"


def test_only_the_listener_for_certificates_asks_for_them():
    broker = properties(1)
    assert broker["listener.name.mtls.ssl.client.auth"] == "required"
    assert broker["listener.name.sasl.ssl.client.auth"] == "none"
    protocols = dict(pair.split(":") for pair in broker["listener.security.protocol.map"].split(","))
    assert (protocols["SASL"], protocols["MTLS"], protocols["SCRAM"]) == ("SASL_SSL", "SSL", "SASL_PLAINTEXT")


def test_every_enabled_mechanism_knows_how_to_log_in():
    broker = properties(1)
    for listener in ("sasl", "scram"):
        for mechanism in broker[f"listener.name.{listener}.sasl.enabled.mechanisms"].lower().split(","):
            assert broker[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"].endswith("required;") or (
                mechanism == "plain" and secured.PASSWORD in broker["listener.name.sasl.plain.sasl.jaas.config"]
            )


def test_brokers_read_token_keys_from_the_beds_file_only():
    [option] = [text for text in kafka.broker_command(1, CHOSEN) if "oauthbearer.allowed" in text]
    assert option.endswith(f"={properties(1)['listener.name.sasl.sasl.oauthbearer.jwks.endpoint.url']}")


def test_users_of_scram_are_made_when_the_data_directory_is():
    command = kafka.format_command(1, "id")
    given = f"[name={secured.USER},password={secured.PASSWORD}]"
    assert [command[i + 1] for i, text in enumerate(command) if text == "--add-scram"] == [
        f"SCRAM-SHA-256={given}",
        f"SCRAM-SHA-512={given}",
    ]


def test_broker_certificates_name_the_brokers_address_and_come_with_a_key_java_reads(written):
    content = secured.keystore(2).read_text()
    assert "BEGIN PRIVATE KEY" in content
    names = x509.load_pem_x509_certificate(content.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.IPAddress) == [ipaddress.IPv4Address("10.50.4.12")]


def test_private_keys_are_for_root_only_and_the_client_pair_can_be_loaded(written):
    for path in (secured.CA_KEY, secured.CLIENT_KEY, secured.TOKEN_KEY, secured.keystore(1)):
        assert path.stat().st_mode & 0o077 == 0, path
    context = ssl.create_default_context(cafile=str(secured.CA_FILE))
    context.load_cert_chain(secured.CLIENT_CERTIFICATE, secured.CLIENT_KEY)


def test_variables_cannot_be_taken_for_options_of_modules():
    assert all(name.startswith("TESTBED_KAFKA_") for name in secured.environment(CHOSEN))
    assert secured.environment(CHOSEN)["TESTBED_KAFKA_SASL_SERVERS"] == (
        "10.50.4.11:9094,10.50.4.12:9094,10.50.4.13:9094"
    )


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_token_is_signed_by_the_key_the_brokers_know(written):
    head, claims, signature = secured.token("somebody", lifetime=60).split(".")
    content = json.loads(decoded(claims))
    assert (content["sub"], content["iss"], content["aud"]) == ("somebody", secured.ISSUER, secured.AUDIENCE)
    assert content["exp"] - content["iat"] == 60
    [known] = json.loads(secured.JWKS_FILE.read_text())["keys"]
    assert json.loads(decoded(head))["kid"] == known["kid"]
    key = serialization.load_pem_private_key(secured.TOKEN_KEY.read_bytes(), password=None).public_key()
    assert key.public_numbers().n == int.from_bytes(decoded(known["n"]), "big")
    key.verify(decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        key.verify(decoded(signature), f"{head}.{claims}x".encode(), padding.PKCS1v15(), hashes.SHA256())
