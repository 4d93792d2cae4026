# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Checks how we are to talk to Kafka before anything is connected, and makes what the connections need of it."""

from __future__ import annotations

import importlib
import ipaddress
import os
import re
import ssl
import typing as t
from pathlib import Path

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError

Settings = t.Mapping[str, t.Any]

WITH_TLS = ("SSL", "SASL_SSL")
WITH_SASL = ("SASL_PLAINTEXT", "SASL_SSL")
PROTOCOLS = ("PLAINTEXT", *WITH_TLS, "SASL_PLAINTEXT")
BY_PASSWORD = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
MECHANISMS = (*BY_PASSWORD, "OAUTHBEARER", "GSSAPI", "AWS_MSK_IAM")
LIBRARIES = {"GSSAPI": "gssapi", "AWS_MSK_IAM": "botocore"}
PREFIX = "sasl_oauthbearer_"
FILE = f"{PREFIX}token_file"
ENDPOINT = (f"{PREFIX}token_endpoint_url", f"{PREFIX}client_id", f"{PREFIX}client_secret")
TOKEN_SETTINGS = frozenset({FILE, *ENDPOINT, f"{PREFIX}scope", f"{PREFIX}cafile"})
_SERVER = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%[^\s\[\]/@]+)?\]|[^\s:\[\]/@]+)(?::(?P<port>[0-9]{1,5}))?")
FILES = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile")


def prepare(settings: Settings, known: t.Collection[str]) -> dict[str, t.Any]:
    """Settings for kafka-python, with certificates loaded and a provider of tokens; the caller's stay as they are.

    known: names kafka-python takes. Raises ``InvalidSettingsError`` with every fault.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    faults = [
        f"{name} is not a setting of a connection to Kafka" for name in sorted(set(given) - set(known) - TOKEN_SETTINGS)
    ]
    protocol = given.get("security_protocol", "PLAINTEXT")
    if protocol not in PROTOCOLS:
        faults.append(f"security_protocol is {protocol!r}: it must be one of {', '.join(PROTOCOLS)}")
    prepared = {name: value for name, value in given.items() if name not in TOKEN_SETTINGS}
    if protocol in WITH_TLS:
        faults += _tls_faults(given)
        if not faults:
            try:
                prepared["ssl_context"] = tls_context(given)
            except InvalidSettingsError as error:
                faults += error.faults
    servers = _servers(given)
    faults += _server_faults(servers) + _sasl_faults(given, protocol)
    if faults:
        raise InvalidSettingsError(faults)
    prepared["bootstrap_servers"] = servers
    if given.get("sasl_mechanism") == "OAUTHBEARER":
        prepared["sasl_oauth_token_provider"] = _token_provider(given)
    return prepared


def principal(given: Settings) -> str:
    """Who the brokers take us for, as far as we can know, for messages."""
    protocol, mechanism = given.get("security_protocol", "PLAINTEXT"), given.get("sasl_mechanism")
    if protocol in WITH_SASL:
        if mechanism in BY_PASSWORD:
            return f"User:{given.get('sasl_plain_username')}"
        if mechanism == "OAUTHBEARER":
            return f"the one of the token of {given.get(ENDPOINT[1]) or given.get(FILE)}"
        return f"the one of the {mechanism} credentials"
    certificate = given.get("ssl_certfile") if protocol in WITH_TLS else None
    return f"the one of the certificate {certificate}" if certificate else "User:ANONYMOUS"


def _servers(given: Settings) -> list[str]:
    """The bootstrap servers; a comma at the end of a list gives one without a name."""
    servers = given.get("bootstrap_servers", "localhost:9092")
    return [server for server in (servers.split(",") if isinstance(servers, str) else servers) if server.strip()]


def _server_faults(servers: t.Sequence[str]) -> list[str]:
    faults = [] if servers else ["bootstrap_servers is empty; name at least one broker as HOST:PORT"]
    for server in servers:
        address = re.sub("^.*://", "", server.strip())  # kafka-python takes the protocol off, too
        found = _SERVER.fullmatch(address)
        if _is_ipv6(address):
            continue
        if not found or not 1 <= int(found["port"] or 1) <= 65535:
            faults.append(
                f"bootstrap_servers names {server!r}; it must be HOST or HOST:PORT, with an IPv6 address as [ADDRESS]:PORT"
            )
    return faults


def _is_ipv6(server: str) -> bool:
    try:
        return ipaddress.ip_address(server).version == 6
    except ValueError:
        return False


def _tls_faults(given: Settings) -> list[str]:
    faults = []
    for name in FILES:
        if path := given.get(name):
            try:
                with Path(path).open("rb"):
                    pass
            except OSError as error:
                faults.append(f"{name} {path} cannot be read: {error.strerror}")
    if given.get("ssl_keyfile") and not given.get("ssl_certfile"):
        faults.append("ssl_keyfile is set, but not ssl_certfile: a client certificate needs both")
    return faults


def tls_context(given: Settings) -> ssl.SSLContext:
    """Settings ``ssl_*`` as a TLS context. Raises ``InvalidSettingsError`` that names the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = given.get("ssl_check_hostname", True)
    faults = []

    def load(name: str, path: str, how: t.Callable[[], object]) -> None:
        try:
            how()
        except (ssl.SSLError, OSError, ValueError) as error:
            faults.append(f"{name} {path} cannot be used: {_plain(error)}")

    if cafile := given.get("ssl_cafile"):
        load("ssl_cafile", cafile, lambda: context.load_verify_locations(cafile))
    else:
        context.load_default_certs()
    if certfile := given.get("ssl_certfile"):
        keyfile = given.get("ssl_keyfile")
        # Without a function here OpenSSL would ask for the password at the terminal.
        password = given.get("ssl_password") or _no_password
        load(
            "ssl_certfile" if not keyfile else "ssl_certfile and ssl_keyfile",
            certfile if not keyfile else f"{certfile} and {keyfile}",
            lambda: context.load_cert_chain(certfile, keyfile, password),
        )
    if crlfile := given.get("ssl_crlfile"):
        load("ssl_crlfile", crlfile, lambda: context.load_verify_locations(crlfile))
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if faults:
        raise InvalidSettingsError(faults)
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted, and ssl_password is not set")


def _plain(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    known = {
        "KEY_VALUES_MISMATCH": "the private key does not belong to the certificate",
        "NO_START_LINE": "it is not a PEM file",
        "NO_CERTIFICATE_OR_CRL_FOUND": "it holds no certificate in PEM form",
    }
    if "PEM lib" in str(error):  # all that OpenSSL lets Python know
        return "no private key can be read from it; if it is encrypted, ssl_password may be wrong"
    return known.get(str(reason), str(reason or error))


def _sasl_faults(given: Settings, protocol: str) -> list[str]:
    mechanism = given.get("sasl_mechanism")
    if protocol not in WITH_SASL:
        if mechanism:
            seen = f"sasl_mechanism is {mechanism}, but security_protocol is {protocol}, which has no SASL"
            return [f"{seen}: set SASL_SSL (or SASL_PLAINTEXT), or no mechanism"]
        return []
    if mechanism not in MECHANISMS:
        seen = f"is {mechanism!r}" if mechanism else "is not set"
        return [
            f"security_protocol is {protocol}, but sasl_mechanism {seen}: it must be one of {', '.join(MECHANISMS)}"
        ]
    faults = []
    if mechanism in BY_PASSWORD:
        missing = [name for name in ("sasl_plain_username", "sasl_plain_password") if not given.get(name)]
        faults += [f"sasl_mechanism {mechanism} needs {name}" for name in missing]
    elif mechanism == "OAUTHBEARER":
        faults += _token_faults(given)
    else:
        if mechanism == "AWS_MSK_IAM" and protocol != "SASL_SSL":
            faults.append(f"sasl_mechanism AWS_MSK_IAM needs security_protocol SASL_SSL, not {protocol}")
        try:
            importlib.import_module(LIBRARIES[mechanism])
        except (ImportError, OSError) as error:
            faults.append(f"sasl_mechanism {mechanism} needs the Python library {LIBRARIES[mechanism]}: {error}")
    return faults


def _token_faults(given: Settings) -> list[str]:
    if path := given.get(FILE):
        faults = [f"{FILE} and {name} are both set: give one of them" for name in ENDPOINT if given.get(name)]
        if not os.access(path, os.R_OK):
            faults.append(f"{FILE} {path} cannot be read: {'no permission' if Path(path).exists() else 'no such file'}")
        return faults
    missing = [name for name in ENDPOINT if not given.get(name)]
    if len(missing) == len(ENDPOINT):
        return [f"sasl_mechanism OAUTHBEARER needs {FILE}, or {', '.join(ENDPOINT)}"]
    faults = [f"sasl_mechanism OAUTHBEARER needs {name} too" for name in missing]
    cafile = given.get(f"{PREFIX}cafile")
    if cafile and not os.access(cafile, os.R_OK):
        faults.append(f"{PREFIX}cafile {cafile} cannot be read")
    url = str(given.get(ENDPOINT[0], ""))
    if url and not url.startswith("https://"):
        faults.append(f"{ENDPOINT[0]} is {url!r}: it must begin with https://, because the secret is sent there")
    return faults


def _token_provider(given: Settings) -> t.Any:
    # Each call of a module compiles what it imports anew, and few connections need tokens.
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import tokens

    if path := given.get(FILE):
        return tokens.TokenFile(path)
    url, client_id, secret = (given[name] for name in ENDPOINT)
    return tokens.ClientCredentials(url, client_id, secret, given.get(f"{PREFIX}scope"), given.get(f"{PREFIX}cafile"))
