# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

from __future__ import annotations


class ModuleDocFragment:
    """Connection to Kafka."""

    DOCUMENTATION = r"""
requirements:
  - kafka-python >= 3.0.12, < 3.1
  - Kafka brokers of version 3.0 or newer
options:
  bootstrap_servers:
    description:
      - Brokers to make the first contact with, each as C(host:port).
      - If not set, the environment variable E(KAFKA_BOOTSTRAP_SERVERS) is used, a comma separated list.
    type: list
    elements: str
    default: ['localhost:9092']
  client_id:
    description:
      - Name of this client in the logs, quotas and metrics of the brokers.
      - If not set, the environment variable E(KAFKA_CLIENT_ID) is used.
    type: str
    default: streamops-bluegreen
  security_protocol:
    description:
      - How to talk to the brokers.
      - If not set, the environment variable E(KAFKA_SECURITY_PROTOCOL) is used.
    type: str
    choices: [PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL]
    default: PLAINTEXT
  ssl_cafile:
    description:
      - Path of the file with the CA certificates, PEM. By default the operating system's.
      - If not set, the environment variable E(KAFKA_SSL_CAFILE) is used.
    type: path
  ssl_certfile:
    description:
      - Path of the file with the client certificate and its chain, PEM.
      - If not set, the environment variable E(KAFKA_SSL_CERTFILE) is used.
    type: path
  ssl_keyfile:
    description:
      - Path of the file with the private key of O(ssl_certfile), PEM.
      - If not set, the environment variable E(KAFKA_SSL_KEYFILE) is used.
    type: path
  ssl_password:
    description:
      - Password of O(ssl_keyfile).
      - If not set, the environment variable E(KAFKA_SSL_PASSWORD) is used.
    type: str
  ssl_crlfile:
    description:
      - Path of the file with a certificate revocation list, PEM. Only the broker's own certificate is checked against it.
      - If not set, the environment variable E(KAFKA_SSL_CRLFILE) is used.
    type: path
  ssl_check_hostname:
    description:
      - Whether the broker's certificate must be for the name it was reached by.
      - If not set, the environment variable E(KAFKA_SSL_CHECK_HOSTNAME) is used.
    type: bool
    default: true
  sasl_mechanism:
    description:
      - How to authenticate when O(security_protocol) is V(SASL_PLAINTEXT) or V(SASL_SSL).
      - V(GSSAPI) needs the Python library C(gssapi), V(AWS_MSK_IAM) needs C(botocore).
      - If not set, the environment variable E(KAFKA_SASL_MECHANISM) is used.
    type: str
    choices: [PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI, AWS_MSK_IAM]
  sasl_plain_username:
    description:
      - User name for the V(PLAIN) and V(SCRAM-SHA-256) and V(SCRAM-SHA-512) mechanisms.
      - If not set, the environment variable E(KAFKA_SASL_PLAIN_USERNAME) is used.
    type: str
  sasl_plain_password:
    description:
      - Password for the V(PLAIN) and V(SCRAM-SHA-256) and V(SCRAM-SHA-512) mechanisms.
      - If not set, the environment variable E(KAFKA_SASL_PLAIN_PASSWORD) is used.
    type: str
  sasl_kerberos_service_name:
    description:
      - Service name of the brokers for O(sasl_mechanism=GSSAPI).
      - If not set, the environment variable E(KAFKA_SASL_KERBEROS_SERVICE_NAME) is used.
    type: str
    default: kafka
  sasl_kerberos_domain_name:
    description:
      - Kerberos domain for O(sasl_mechanism=GSSAPI). By default the broker's host name.
      - If not set, the environment variable E(KAFKA_SASL_KERBEROS_DOMAIN_NAME) is used.
    type: str
  request_timeout_ms:
    description:
      - Milliseconds a broker has to answer one request. Then the connection is given up and the request sent again.
      - If not set, the environment variable E(KAFKA_REQUEST_TIMEOUT_MS) is used.
    type: int
    default: 5000
  default_api_timeout_ms:
    description:
      - Milliseconds after which one operation fails, connecting and all attempts included, even if a broker accepts the
        connection and then stays silent.
      - If not set, the environment variable E(KAFKA_DEFAULT_API_TIMEOUT_MS) is used.
    type: int
    default: 15000
"""
