"""How the pod proves to the brokers who it is: the variables the collection's modules have, for librdkafka."""

from __future__ import annotations

import os
from typing import Protocol

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
# Variable -> librdkafka's name.
FILES = {
    "KAFKA_SSL_CAFILE": "ssl.ca.location",
    "KAFKA_SSL_CERTFILE": "ssl.certificate.location",
    "KAFKA_SSL_KEYFILE": "ssl.key.location",
}


class Reader(Protocol):
    """Reads variables and collects what is wrong with them."""

    faults: list[str]

    def text(self, name: str, default: str | None = None) -> str: ...

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str: ...


def security_settings(read: Reader) -> dict[str, str]:
    """Settings for librdkafka; empty for a listener that asks for nothing."""
    protocol = read.choice("KAFKA_SECURITY_PROTOCOL", PROTOCOLS, "PLAINTEXT")
    if protocol == "PLAINTEXT":
        return {}
    settings = {"security.protocol": protocol}
    if protocol.endswith("SSL"):
        for variable, name in FILES.items():
            if path := read.text(variable, ""):
                settings[name] = path
                if not os.access(path, os.R_OK):
                    read.faults.append(f"{variable} {path} cannot be read")
        if bool(read.text("KAFKA_SSL_KEYFILE", "")) != bool(read.text("KAFKA_SSL_CERTFILE", "")):
            read.faults.append("KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE: a client certificate needs both")
    if protocol.startswith("SASL"):
        settings["sasl.mechanism"] = read.choice("KAFKA_SASL_MECHANISM", MECHANISMS)
        settings["sasl.username"] = read.text("KAFKA_SASL_PLAIN_USERNAME")
        settings["sasl.password"] = read.text("KAFKA_SASL_PLAIN_PASSWORD")
    return settings
