# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Look at the transactions that are open on some partitions."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.moments import to_milliseconds
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.transactions import Transactions
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Clock, Kafka


def open_transactions(kafka: Kafka, clock: Clock, partitions: t.Collection[TopicPartition]) -> Transactions:
    """Transactions open on the partitions. What keeps us from seeing them is part of the answer, not an error."""
    try:
        found, unknown = kafka.open_transactions(partitions), ""
    except KafkaError as error:
        found, unknown = [], error.message
    return Transactions(tuple(found), to_milliseconds(clock.now()), unknown)
