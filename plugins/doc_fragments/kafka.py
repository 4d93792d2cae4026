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
  - urllib3 >= 2.5, < 3 to get tokens from an identity provider
options:
  bootstrap_servers:
    description:
      - Brokers to connect to first, each as C(host:port). A protocol in front of it, as in C(SASL_SSL://host:port), is ignored;
        see O(security_protocol).
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
      - Protocol of the brokers. V(PLAINTEXT) and V(SASL_PLAINTEXT) send everything unencrypted.
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
      - Path of the file with the client certificate and its chain, PEM, for brokers that require one (mutual TLS).
      - If not set, the environment variable E(KAFKA_SSL_CERTFILE) is used.
    type: path
  ssl_keyfile:
    description:
      - Path of the file with the private key of O(ssl_certfile), PEM. Not needed when O(ssl_certfile) holds the key too.
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
      - Whether the broker's certificate has to match the name it was reached by.
      - If not set, the environment variable E(KAFKA_SSL_CHECK_HOSTNAME) is used.
    type: bool
    default: true
  sasl_mechanism:
    description:
      - How to authenticate when O(security_protocol) is V(SASL_PLAINTEXT) or V(SASL_SSL).
      - V(OAUTHBEARER) needs O(sasl_oauthbearer_token_file), or the three options of an identity provider
        (O(sasl_oauthbearer_token_endpoint_url), O(sasl_oauthbearer_client_id), O(sasl_oauthbearer_client_secret)).
      - V(GSSAPI) needs the Python library C(gssapi) and a Kerberos ticket. V(AWS_MSK_IAM) needs C(botocore),
        O(security_protocol=SASL_SSL), and credentials and region where C(botocore) finds them (E(AWS_DEFAULT_REGION), a
        profile, a role).
      - These two are passed to kafka-python unchanged and are not tested, because the tests of this collection have no Kerberos
        and no AWS; all other mechanisms are tested on real brokers.
      - If not set, the environment variable E(KAFKA_SASL_MECHANISM) is used.
    type: str
    choices: [PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, GSSAPI, AWS_MSK_IAM]
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
  sasl_oauthbearer_token_file:
    description:
      - Path of a file that holds the token for O(sasl_mechanism=OAUTHBEARER) and nothing else. It is read again for every
        connection, so a renewed token only has to be written there.
      - If not set, the environment variable E(KAFKA_SASL_OAUTHBEARER_TOKEN_FILE) is used.
    type: path
  sasl_oauthbearer_token_endpoint_url:
    description:
      - URL to get tokens for O(sasl_mechanism=OAUTHBEARER) from (OAuth 2.0 client credentials), C(https) only. A token is used
        for 80 % of its lifetime.
      - If not set, the environment variable E(KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL) is used.
    type: str
  sasl_oauthbearer_client_id:
    description:
      - Client to get tokens for from O(sasl_oauthbearer_token_endpoint_url).
      - If not set, the environment variable E(KAFKA_SASL_OAUTHBEARER_CLIENT_ID) is used.
    type: str
  sasl_oauthbearer_client_secret:
    description:
      - Secret of O(sasl_oauthbearer_client_id).
      - If not set, the environment variable E(KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET) is used.
    type: str
  sasl_oauthbearer_scope:
    description:
      - Scope to request from O(sasl_oauthbearer_token_endpoint_url).
      - If not set, the environment variable E(KAFKA_SASL_OAUTHBEARER_SCOPE) is used.
    type: str
  sasl_oauthbearer_cafile:
    description:
      - Path of the file with the CA certificates to check O(sasl_oauthbearer_token_endpoint_url) against, PEM. By default the
        operating system's.
      - If not set, the environment variable E(KAFKA_SASL_OAUTHBEARER_CAFILE) is used.
    type: path
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
      - Milliseconds a broker has to answer one request. Then the connection is closed and the request sent again.
      - If not set, the environment variable E(KAFKA_REQUEST_TIMEOUT_MS) is used.
    type: int
    default: 5000
  default_api_timeout_ms:
    description:
      - Milliseconds after which one operation fails, including connecting and all attempts, even if a broker accepts the
        connection and then does not respond.
      - If not set, the environment variable E(KAFKA_DEFAULT_API_TIMEOUT_MS) is used.
    type: int
    default: 15000
notes:
  - Refused credentials, certificates that do not match, a wrong protocol and names that cannot be resolved fail at once with a
    specific message, without waiting for O(default_api_timeout_ms). An address where nothing listens fails after 3 seconds in which
    all of O(bootstrap_servers) refused every connection and none had answered the module before, or an earlier step of its run.
  - The guide U(https://github.com/streamops/bluegreen/blob/main/docs/kafka-security.md) lists the ACLs that are needed.
"""
