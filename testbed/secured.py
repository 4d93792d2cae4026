"""What the secured listeners of the brokers are made of: a certificate authority, users, and a key that signs tokens.

Users and passwords are fixed and mean nothing outside of a bed; keys are new in each life of a bed.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from testbed import settings
from testbed.certificates import DIRECTORY
from testbed.settings import Settings

CA_FILE = DIRECTORY / "kafka-ca.crt"
CA_KEY = DIRECTORY / "kafka-ca.key"
CLIENT_CERTIFICATE = DIRECTORY / "kafka-client.crt"
CLIENT_KEY = DIRECTORY / "kafka-client.key"
TOKEN_KEY = DIRECTORY / "kafka-tokens.key"
JWKS_FILE = DIRECTORY / "kafka-tokens.json"

# The one user there is from the beginning, by each mechanism and by certificate; tests make their own besides.
USER = "testbed-admin"
PASSWORD = "testbed-admin-password"
# Who may do everything. The plain listener knows nobody: brokers, controllers and everything that came before are on it.
SUPER_USERS = f"User:ANONYMOUS;User:{USER}"

SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
ISSUER = "https://testbed.invalid"
AUDIENCE = "kafka"
_KEY_ID = "testbed"

_LOGIN = "org.apache.kafka.common.security"
_OAUTH = f"{_LOGIN}.oauthbearer"
_Properties = tuple[tuple[str, str], ...]


def tls_properties(number: int, *, mutual: bool) -> _Properties:
    """Settings of a listener with TLS on broker ``number``; mutual: the client must show a certificate too."""
    return (
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", str(keystore(number))),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", str(CA_FILE)),
        ("ssl.client.auth", "required" if mutual else "none"),
        # The principal of a certificate is its common name, so that one user is the same by each way in.
        ("ssl.principal.mapping.rules", r"RULE:^.*CN=([^,]+).*$/$1/,DEFAULT"),
    )


def scram_properties(mechanisms: tuple[str, ...] = SCRAM, others: tuple[str, ...] = ()) -> _Properties:
    """Settings of a listener for users whose passwords the cluster keeps, and for other mechanisms."""
    login = f"{_LOGIN}.scram.ScramLoginModule required;"
    enabled = ("sasl.enabled.mechanisms", ",".join((*mechanisms, *others)))
    return (enabled, *((f"{mechanism.lower()}.sasl.jaas.config", login) for mechanism in mechanisms))


def sasl_properties() -> _Properties:
    """Settings of a listener with SCRAM, PLAIN and OAUTHBEARER."""
    plain = f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
    return (
        *scram_properties(others=("PLAIN", "OAUTHBEARER")),
        ("plain.sasl.jaas.config", plain),
        ("oauthbearer.sasl.jaas.config", f"{_OAUTH}.OAuthBearerLoginModule required;"),
        ("oauthbearer.sasl.server.callback.handler.class", f"{_OAUTH}.OAuthBearerValidatorCallbackHandler"),
        ("sasl.oauthbearer.jwks.endpoint.url", JWKS_FILE.as_uri()),
        ("sasl.oauthbearer.expected.audience", AUDIENCE),
        ("sasl.oauthbearer.expected.issuer", ISSUER),
        # A session ends with its token; without a limit here it would outlive it.
        ("oauthbearer.connections.max.reauth.ms", "3600000"),
    )


def java_options() -> list[str]:
    """Options of a broker's Java: it reads keys of tokens only from where it is told that it may."""
    return [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={JWKS_FILE.as_uri()}"]


def format_options() -> list[str]:
    """Options of the tool that formats a data directory: users that exist from the beginning."""
    given = f"[name={USER},password={PASSWORD}]"
    return [option for mechanism in SCRAM for option in ("--add-scram", f"{mechanism}={given}")]


def keystore(number: int) -> Path:
    """Certificate chain and private key of broker ``number``, PEM."""
    return DIRECTORY / f"kafka-{number}.pem"


def create(chosen: Settings) -> None:
    """Write everything; the directory exists."""
    authority = trustme.CA(organization_name="test bed Kafka")
    authority.cert_pem.write_to_path(str(CA_FILE))
    _write_private(CA_KEY, authority.private_key_pem.bytes())
    for number in range(1, settings.BROKER_COUNT + 1):
        issued = authority.issue_cert(chosen.broker_address(number), common_name=f"kafka-{number}")
        _write_private(keystore(number), issued.cert_chain_pems[0].bytes() + pkcs8(issued))
    client = authority.issue_cert(f"{USER}@testbed.invalid", common_name=USER)
    client.cert_chain_pems[0].write_to_path(str(CLIENT_CERTIFICATE))
    _write_private(CLIENT_KEY, pkcs8(client))
    signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_private(TOKEN_KEY, _pkcs8(signer))
    JWKS_FILE.write_text(json.dumps({"keys": [_public_part(signer)]}))


def environment(chosen: Settings) -> dict[str, str]:
    """Variables for the programs that use the bed. None begins with KAFKA_: modules take those for their options."""
    return {
        "TESTBED_KAFKA_SASL_SERVERS": chosen.servers(9094),
        "TESTBED_KAFKA_MTLS_SERVERS": chosen.servers(9095),
        "TESTBED_KAFKA_SASL_PLAINTEXT_SERVERS": chosen.servers(9096),
        "TESTBED_KAFKA_CA": str(CA_FILE),
        "TESTBED_KAFKA_CA_KEY": str(CA_KEY),
        "TESTBED_KAFKA_CLIENT_CERT": str(CLIENT_CERTIFICATE),
        "TESTBED_KAFKA_CLIENT_KEY": str(CLIENT_KEY),
        "TESTBED_KAFKA_USER": USER,
        "TESTBED_KAFKA_PASSWORD": PASSWORD,
    }


def token(subject: str = USER, lifetime: float = 300, audience: str = AUDIENCE, key: Path | None = None) -> str:
    """A token that the brokers accept for ``lifetime`` seconds (negative: expired), signed by the bed's key or another."""
    key = key or TOKEN_KEY
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": audience, "sub": subject, "iat": now, "exp": int(now + lifetime)}
    signed = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": _KEY_ID}, claims))
    private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError(f"{key} holds no RSA key")
    return f"{signed}.{_base64(private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def pkcs8(issued: trustme.LeafCert) -> bytes:
    """The private key in the one form that Java reads."""
    return _pkcs8(serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None))


def _pkcs8(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_part(key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    parts = {
        name: _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))
        for name, value in (("n", numbers.n), ("e", numbers.e))
    }
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": _KEY_ID, **parts}


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
