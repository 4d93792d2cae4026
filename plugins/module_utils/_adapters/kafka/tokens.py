# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Tokens for SASL/OAUTHBEARER: from a file, or from an identity provider (OpenID Connect client credentials)."""

from __future__ import annotations

import base64
import datetime
import json
import threading
import time
import typing as t
import urllib.parse
from pathlib import Path

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError, MissingLibraryError

try:
    from kafka.net.sasl.oauth import AbstractTokenProvider
except ImportError:
    AbstractTokenProvider = object  # type: ignore[misc, assignment] # connection.py says so before anything here is used

URLLIB3 = "urllib3 >= 2.5, < 3"
TIMEOUT = 5.0
"""Seconds for one request to the identity provider."""
ATTEMPTS = 3
USABLE = 0.8
"""Part of a token's lifetime for which it is used again."""


class TokenFile(AbstractTokenProvider):
    """Reads the file for every connection and re-authentication, so that whoever renews tokens only has to write it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def token(self) -> str:
        """The token. Raises KafkaError."""
        try:
            found = Path(self._path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KafkaError(
                f"The token file {self._path} (sasl_oauthbearer_token_file) cannot be read: {error}"
            ) from error
        if not found:
            raise KafkaError(f"The token file {self._path} (sasl_oauthbearer_token_file) is empty")
        return found

    def lapsed(self) -> str | None:
        """Says so when the token says that it has expired; asked only after a broker closed a connection.

        Brokers take a token for some seconds longer than it says, and then close the connection at once.
        """
        try:
            claims = self.token().split(".")[1]
            expiry = float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
        except (IndexError, KeyError, ValueError, TypeError, KafkaError):
            return None  # not a JWT, and only those tell
        if expiry > time.time():
            return None
        when = datetime.datetime.fromtimestamp(expiry, datetime.UTC).isoformat().replace("+00:00", "Z")
        return f"the token in {self._path} (sasl_oauthbearer_token_file) expired at {when}. Renew it"


class ClientCredentials(AbstractTokenProvider):
    """Gets tokens with a client id and secret, and keeps each for most of its lifetime.

    cafile: certificates to check the identity provider by, default those of the operating system.
    """

    def __init__(
        self, url: str, client_id: str, secret: str, scope: str | None = None, cafile: str | None = None
    ) -> None:
        self._url = url
        self._client = (client_id, secret)
        self._fields = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        self._cafile = cafile
        self._lock = threading.Lock()
        self._token = ""
        self._usable_until = 0.0

    def token(self) -> str:
        """The token, a new one when the last is about to expire. Raises KafkaError."""
        with self._lock:
            if not self._token or time.monotonic() >= self._usable_until:
                asked = time.monotonic()
                answer = self._ask()
                self._token = str(answer["access_token"])
                self._usable_until = asked + USABLE * _seconds(answer.get("expires_in"))
            return self._token

    def _ask(self) -> dict[str, t.Any]:
        try:
            import urllib3
        except ImportError as error:
            raise MissingLibraryError(URLLIB3, str(error)) from error
        try:
            retries = urllib3.Retry(
                ATTEMPTS - 1,
                backoff_factor=0.1,
                status_forcelist=[429, 500, 502, 503, 504],
                allowed_methods=None,
                raise_on_status=False,
                respect_retry_after_header=False,
                redirect=False,
            )
            identity = ":".join(urllib.parse.quote(part, safe="") for part in self._client)
            with urllib3.PoolManager(ca_certs=self._cafile, timeout=TIMEOUT, retries=retries) as pool:
                answer = pool.request(
                    "POST",
                    self._url,
                    fields=self._fields,
                    encode_multipart=False,
                    headers=urllib3.make_headers(basic_auth=identity) | {"Accept": "application/json"},
                )
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise KafkaError(f"No token from {self._url} (sasl_oauthbearer_token_endpoint_url): {reason}") from error
        return self._read(answer.status, answer.data)

    def _read(self, status: int, body: bytes) -> dict[str, t.Any]:
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        if status == 200 and isinstance(said, dict) and said.get("access_token"):
            return said
        told = said if isinstance(said, dict) else {}
        # Only what the standard calls an error is shown: the rest of an answer may hold anything.
        why = " ".join(str(told[key]) for key in ("error", "error_description") if told.get(key))
        wrong = "an answer without access_token" if status == 200 else f"HTTP {status}"
        raise KafkaError(
            f"No token from {self._url} for client {self._client[0]}: {wrong}{f' ({why})' if why else ''}. Check "
            "sasl_oauthbearer_token_endpoint_url, sasl_oauthbearer_client_id, sasl_oauthbearer_client_secret and "
            "sasl_oauthbearer_scope"
        )


def _seconds(lifetime: t.Any) -> float:
    """Lifetime of a token as the provider tells it; 0 when it does not, then a token is used once."""
    try:
        return float(lifetime)
    except (TypeError, ValueError):
        return 0.0
