# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Why a broker could not be connected to, in words that say what to change, and whether waiting could help.

Brokers that are spoken to in the wrong way just close the connection, as brokers that restart do. To tell these apart the
port is asked once what it speaks.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.security import (
    BY_PASSWORD,
    WITH_SASL,
    WITH_TLS,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.refusal import is_cut_off, root
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import BlueGreenError

try:
    from kafka import errors
    from kafka.protocol.metadata import ApiVersionsRequest
    from kafka.protocol.parser import KafkaProtocol
    from kafka.protocol.sasl import SaslHandshakeRequest
except ImportError:
    pass  # connection.py says so before anything here is used

Settings = t.Mapping[str, t.Any]

PROBE_TIMEOUT = 2.0
"""Seconds for finding out what a port speaks."""
WRONG_NAME = frozenset({62, 64})
"""OpenSSL's codes for a certificate that is for another name or address."""
WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNKNOWN_CA", "CERTIFICATE_", "HANDSHAKE_FAILURE")


def is_final(error: BaseException) -> bool:
    """Whether the next attempt would fail in the same way: refused credentials, certificates that do not fit."""
    if isinstance(error, BlueGreenError):
        return True
    cause = root(error)
    if isinstance(cause, ssl.SSLError):
        return not is_cut_off(cause)
    if isinstance(cause, OSError):
        return False
    if isinstance(error, errors.BrokerResponseError):
        return not error.retriable
    return not isinstance(error, errors.KafkaError) or isinstance(error, errors.KafkaConfigurationError)


def explain(host: str, port: int, error: BaseException, settings: Settings) -> str:
    """One sentence or two about an error that is final."""
    where, cause = f"{host}:{port}", root(error)
    if isinstance(error, BlueGreenError):
        return error.message
    if isinstance(error, socket.gaierror):
        return f"the name {host} cannot be resolved: {error.strerror}. Check bootstrap_servers and the name service"
    if isinstance(cause, ssl.SSLCertVerificationError):
        hint = "Check ssl_cafile"
        if cause.verify_code in WRONG_NAME:
            hint = "Reach the brokers by a name in their certificate, or set ssl_check_hostname to false"
        return f"the certificate of {where} is not accepted: {cause.verify_message.rstrip('.')}. {hint}"
    if isinstance(cause, ssl.SSLError):
        reason = cause.reason or str(cause)
        said = f"{where} ended the TLS handshake: {reason.replace('_', ' ').lower()}"
        if any(part in reason for part in WANTS_CERTIFICATE):
            shown = settings.get("ssl_certfile")
            said += (
                f". It does not accept the client certificate {shown}" if shown else ". It wants a client certificate"
            )
            said += ": check ssl_certfile and ssl_keyfile" if shown else ": set ssl_certfile and ssl_keyfile"
        return said
    if isinstance(error, errors.SaslAuthenticationFailedError):
        return f"{where} refused {_identity(settings)}: {_said(error)}. Check {_credentials(settings)}"
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        offered = mechanisms_of(host, port, settings)
        known = f"; it offers {', '.join(offered)}" if offered else ""
        return f"{where} does not offer sasl_mechanism {settings.get('sasl_mechanism')}{known}"
    if isinstance(error, errors.IllegalSaslStateError):
        without = "SSL" if _tls(settings) else "PLAINTEXT"
        return f"{where} does no SASL: set security_protocol to {without}, or use the port of another listener"
    return f"{where}: {type(error).__name__}: {error}"


def _identity(settings: Settings) -> str:
    mechanism = settings.get("sasl_mechanism")
    user = f" of user {settings.get('sasl_plain_username')}" if mechanism in BY_PASSWORD else ""
    return f"the {mechanism} credentials{user}"


def _credentials(settings: Settings) -> str:
    mechanism = settings.get("sasl_mechanism")
    if mechanism in BY_PASSWORD:
        return "sasl_plain_username and sasl_plain_password, and that the user exists for this mechanism"
    return (
        "the token: its expiry, audience, issuer and signing key" if mechanism == "OAUTHBEARER" else "the credentials"
    )


def _said(error: t.Any) -> str:
    """The broker's own words, without the name of the exception in front."""
    text = str(error.args[0]) if error.args else str(error)
    return text.partition("SaslAuthenticationFailedError: ")[2] or text


def wrong_protocol(host: str, port: int, settings: Settings) -> str | None:
    """What a port speaks that closes connections like ours; None when that is not the reason, or cannot be found out."""
    where, protocol = f"{host}:{port}", settings.get("security_protocol", "PLAINTEXT")
    if not _tls(settings) and _speaks_tls(host, port):
        return f"{where} speaks TLS, but security_protocol is {protocol}: set SSL or SASL_SSL"
    if _tls(settings) and _ask(host, port, None, ApiVersionsRequest(version=0)) is not None:
        return f"{where} speaks no TLS, but security_protocol is {protocol}: set PLAINTEXT or SASL_PLAINTEXT"
    if protocol not in WITH_SASL and (offered := mechanisms_of(host, port, settings)):
        return (
            f"{where} wants SASL ({', '.join(offered)}), but security_protocol is {protocol}: set "
            f"{'SASL_SSL' if _tls(settings) else 'SASL_PLAINTEXT'} and sasl_mechanism"
        )
    return None


def lapsed_token(settings: Settings) -> str | None:
    """Why a broker may have closed the connection of somebody it let in before."""
    lapsed = getattr(settings.get("sasl_oauth_token_provider"), "lapsed", None)
    return lapsed() if lapsed is not None else None


def mechanisms_of(host: str, port: int, settings: Settings) -> list[str]:
    """SASL mechanisms that a listener offers; none when it does no SASL or does not answer."""
    context = settings.get("ssl_context") if _tls(settings) else None
    answer = _ask(host, port, context, SaslHandshakeRequest(mechanism="", version=1))
    return sorted(answer.mechanisms) if answer is not None else []


def _tls(settings: Settings) -> bool:
    return settings.get("security_protocol") in WITH_TLS


def _speaks_tls(host: str, port: int) -> bool:
    """Nothing is sent but the greeting, so whose certificate it is does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with _connect(host, port, context):
            return True
    except ssl.SSLError as error:
        return "ALERT" in str(error.reason)  # it speaks TLS, and wants something of it that we do not have
    except OSError:
        return False


def _ask(host: str, port: int, context: ssl.SSLContext | None, request: t.Any) -> t.Any:
    protocol = KafkaProtocol(client_id="streamops-bluegreen")
    protocol.send_request(request)
    try:
        with _connect(host, port, context) as connection:
            connection.sendall(protocol.send_bytes())
            while received := connection.recv(65536):
                for _number, answer in protocol.receive_bytes(received):
                    return answer
    except (OSError, errors.KafkaError):
        return None
    return None


@contextlib.contextmanager
def _connect(host: str, port: int, context: ssl.SSLContext | None) -> t.Iterator[socket.socket]:
    with socket.create_connection((host, port), timeout=PROBE_TIMEOUT) as connection:
        if context is None:
            yield connection
        else:
            with context.wrap_socket(connection, server_hostname=host) as wrapped:
                yield wrapped


def unresolved(host: str, port: int) -> socket.gaierror | None:
    """Why a name cannot be resolved, if so."""
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return error
    return None
