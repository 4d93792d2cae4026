# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of a secured connection: every fault is found before anything is connected."""

from __future__ import annotations

import re
import ssl
import typing as t
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import net, tokens
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.security import prepare
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError


class Files(t.NamedTuple):
    """Paths of PEM files."""

    ca: str
    certificate: str
    key: str
    other_key: str
    encrypted_key: str
    nonsense: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """An authority, a client certificate with its key, the key of another one, and a file that is none of this."""
    place = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    issued = authority.issue_cert("client")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    contents = {
        "ca": authority.cert_pem.bytes(),
        "certificate": issued.cert_chain_pems[0].bytes(),
        "key": issued.private_key_pem.bytes(),
        "other_key": authority.issue_cert("other").private_key_pem.bytes(),
        "encrypted_key": encrypted,
        "nonsense": b"nonsense",
    }
    for name, content in contents.items():
        (place / name).write_bytes(content)
    return Files(*(str(place / name) for name in Files._fields))


def faults(**settings: t.Any) -> str:
    """All faults as one text; fails when there is none."""
    with pytest.raises(InvalidSettingsError) as caught:
        prepare(settings, net.KNOWN_SETTINGS)
    return "\n".join(caught.value.faults)


def test_what_kafka_python_takes_is_handed_on_and_nothing_added() -> None:
    settings = {"bootstrap_servers": ["b:1"], "client_id": "c", "ssl_cafile": None}
    assert prepare(settings, net.KNOWN_SETTINGS) == {"bootstrap_servers": ["b:1"], "client_id": "c"}


def test_certificates_are_loaded_and_checked(files: Files) -> None:
    made = prepare(
        {
            "security_protocol": "SSL",
            "ssl_cafile": files.ca,
            "ssl_certfile": files.certificate,
            "ssl_keyfile": files.encrypted_key,
            "ssl_password": "secret",
            "ssl_check_hostname": False,
        },
        net.KNOWN_SETTINGS,
    )
    context = made["ssl_context"]
    assert len(context.get_ca_certs()) == 1
    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_REQUIRED)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_without_a_file_the_operating_systems_authorities_count() -> None:
    made = prepare({"security_protocol": "SSL"}, net.KNOWN_SETTINGS)
    assert (made["ssl_context"].check_hostname, made["ssl_context"].verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(
    ("named", "seen"),
    [
        ({"ssl_cafile": "/no/ca.pem"}, "ssl_cafile /no/ca.pem cannot be read: No such file or directory"),
        ({"ssl_cafile": "nonsense"}, "ssl_cafile .*nonsense cannot be used: it holds no certificate in PEM form"),
        ({"ssl_certfile": "certificate"}, "ssl_certfile .*certificate cannot be used: no private key"),
        ({"ssl_certfile": "certificate", "ssl_keyfile": "/no/key"}, "ssl_keyfile /no/key cannot be read"),
        ({"ssl_keyfile": "key"}, "ssl_keyfile is set, but not ssl_certfile"),
        (
            {"ssl_certfile": "certificate", "ssl_keyfile": "other_key"},
            "ssl_certfile and ssl_keyfile .* cannot be used: the private key does not belong to the certificate",
        ),
        (
            {"ssl_certfile": "certificate", "ssl_keyfile": "encrypted_key"},
            "cannot be used: the key is encrypted, and ssl_password is not set",
        ),
        (
            {"ssl_certfile": "certificate", "ssl_keyfile": "encrypted_key", "ssl_password": "wrong"},
            "cannot be used: no private key .* ssl_password may be wrong",
        ),
        ({"ssl_crlfile": "/no/crl"}, "ssl_crlfile /no/crl cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(files: Files, named: dict[str, str], seen: str) -> None:
    settings = {name: getattr(files, value, value) for name, value in named.items()}
    settings.setdefault("ssl_cafile", files.ca)
    told = faults(security_protocol="SSL", **settings)
    assert re.search(seen, told), told


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({"security_protocol": "TLS"}, "security_protocol is 'TLS': it must be one of PLAINTEXT, SSL"),
        ({"nonsense": 1}, "nonsense is not a setting"),
        ({"security_protocol": "SASL_SSL"}, "sasl_mechanism is not set: it must be one of PLAIN, SCRAM-SHA-256"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "DIGEST"}, "sasl_mechanism is 'DIGEST'"),
        ({"sasl_mechanism": "PLAIN"}, "sasl_mechanism is PLAIN, but security_protocol is PLAINTEXT, which has no SASL"),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "AWS_MSK_IAM"},
            "AWS_MSK_IAM needs security_protocol SASL_SSL",
        ),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"},
            "OAUTHBEARER needs sasl_oauthbearer_token_file, or sasl_oauthbearer_token_endpoint_url",
        ),
    ],
)
def test_a_setting_that_does_not_fit(settings: dict[str, t.Any], seen: str) -> None:
    assert seen in faults(**settings)


def test_a_mechanism_without_user_and_password_names_both() -> None:
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        told = faults(security_protocol="SASL_PLAINTEXT", sasl_mechanism=mechanism, sasl_plain_password="")
        assert told.splitlines() == [
            f"sasl_mechanism {mechanism} needs sasl_plain_username",
            f"sasl_mechanism {mechanism} needs sasl_plain_password",
        ]


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def absent(name: str, *rest: t.Any, **named: t.Any) -> t.Any:
        if name.split(".", maxsplit=1)[0] in {"gssapi", "botocore"}:
            raise ImportError(f"No module named '{name}'")
        return real(name, *rest, **named)

    import importlib

    monkeypatch.setattr(importlib, "import_module", absent)
    told = faults(security_protocol="SASL_SSL", sasl_mechanism="GSSAPI")
    assert "GSSAPI needs the Python library gssapi: No module named 'gssapi'" in told
    assert "needs the Python library botocore" in faults(security_protocol="SASL_SSL", sasl_mechanism="AWS_MSK_IAM")


def test_every_fault_is_told_at_once() -> None:
    told = faults(
        security_protocol="SASL_SSL", sasl_mechanism="PLAIN", ssl_cafile="/no/ca", ssl_keyfile="/no/key", nonsense=1
    )
    assert len(told.splitlines()) == 6, told


OAUTH = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER"}
ENDPOINT = {
    "sasl_oauthbearer_token_endpoint_url": "https://idp/token",
    "sasl_oauthbearer_client_id": "c",
    "sasl_oauthbearer_client_secret": "s",
}


def test_tokens_come_from_a_file_or_from_a_provider(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("abc\n")
    made = prepare({**OAUTH, "sasl_oauthbearer_token_file": str(file)}, net.KNOWN_SETTINGS)
    assert made["sasl_oauth_token_provider"].token() == "abc"
    assert not any(name.startswith("sasl_oauthbearer") for name in made)
    made = prepare({**OAUTH, **ENDPOINT}, net.KNOWN_SETTINGS)
    assert isinstance(made["sasl_oauth_token_provider"], tokens.ClientCredentials)


def test_an_incomplete_or_doubtful_source_of_tokens() -> None:
    assert "sasl_oauthbearer_token_file /no/token cannot be read: no such file" in faults(
        **OAUTH, sasl_oauthbearer_token_file="/no/token"
    )
    assert "are both set: give one of them" in faults(**OAUTH, **ENDPOINT, sasl_oauthbearer_token_file="/no/token")
    partly = {**ENDPOINT, "sasl_oauthbearer_client_secret": None}
    assert faults(**OAUTH, **partly) == "sasl_mechanism OAUTHBEARER needs sasl_oauthbearer_client_secret too"
    plain = {**ENDPOINT, "sasl_oauthbearer_token_endpoint_url": "http://idp/token"}
    assert "must begin with https://" in faults(**OAUTH, **plain)
    assert "sasl_oauthbearer_cafile /no/ca" in faults(**OAUTH, **ENDPOINT, sasl_oauthbearer_cafile="/no/ca")
