# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package kafka is run when one of its names is needed. In processes of their own: here it was imported long ago."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import lazy_import
from ansible_collections.streamops.bluegreen.tests.unit.waiting import finished

BEFORE = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("lazy_import", {lazy_import.__file__!r})
lazy_import = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lazy_import)
"""


def run(code: str, *flags: str) -> str:
    done = finished([sys.executable, *flags, "-c", BEFORE + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_the_adapters_import_runs_no_client() -> None:
    """All that _adapters import of kafka."""
    code = """
lazy_import.postpone()
from kafka import errors
from kafka.net.manager import KafkaConnectionManager
from kafka.net.sasl.oauth import AbstractTokenProvider
from kafka.net.selector import NetworkSelector
from kafka.protocol.admin import ListGroupsRequest
from kafka.protocol.consumer import OffsetFetchRequest
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslHandshakeRequest
clients = {"kafka.admin", "kafka.consumer", "kafka.coordinator", "kafka.producer"}
messages = {"kafka.protocol.admin.acl", "kafka.protocol.admin.topics", "kafka.protocol.consumer.fetch"}
print(sorted((clients | messages) & set(sys.modules)))
"""
    assert run(code) == "[]"


@pytest.mark.parametrize("name", ["CreateTopicsRequest", "DescribeConfigsRequest", "DescribeGroupsRequest"])
def test_messages_of_other_parts_are_there_when_asked_for(name: str) -> None:
    code = f"from kafka.protocol.admin import {name}\nimport kafka.protocol.admin as admin\n"
    assert run(f"lazy_import.postpone()\n{code}print({name}.__name__, admin.{name} is {name})") == f"{name} True"


@pytest.mark.parametrize(
    "code",
    [
        "from kafka import KafkaProducer; print(KafkaProducer.__module__)",
        "import kafka; print(kafka.KafkaProducer.__module__)",
        "from kafka import *; print(KafkaProducer.__module__)",
        "import kafka.producer; print(kafka.producer.KafkaProducer.__module__)",
    ],
)
def test_whoever_needs_the_rest_gets_it(code: str) -> None:
    assert run(f"lazy_import.postpone()\n{code}") == "kafka.producer.kafka"


def test_a_name_that_is_nowhere() -> None:
    assert run("lazy_import.postpone()\nimport kafka\nprint(hasattr(kafka, 'nothing'))") == "False"


def test_what_was_imported_before_stays() -> None:
    assert run("import kafka\nlazy_import.postpone()\nprint(sys.modules['kafka'] is kafka)") == "True"


def test_without_the_library() -> None:
    assert run("sys.path = []\nlazy_import.postpone()\nprint('kafka' in sys.modules)") == "False"
