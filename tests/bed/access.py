# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users and ACLs on the test bed's brokers, made at the listener where everybody is a super user."""

from __future__ import annotations

import typing as t

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from tests.unit.waiting import HANG

PASSWORD = "of-this-test-only"


class Acl(t.NamedTuple):
    """One permission, as in ``Acl("READ", "topic", "orders")``."""

    operation: str
    resource: str
    name: str


class Access:
    """What was made is removed by ``clean_up``."""

    def __init__(self, servers: str) -> None:
        self.admin = AdminClient({"bootstrap.servers": servers})
        self._users: list[str] = []

    def user(self, name: str, *acls: Acl) -> str:
        """A new user of SCRAM-SHA-512 who may do just this."""
        made = UserScramCredentialUpsertion(
            name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), PASSWORD.encode()
        )
        self._users.append(name)
        self.admin.alter_user_scram_credentials([made])[name].result(HANG)
        self.allow(name, *acls)
        return name

    def allow(self, user: str, *acls: Acl) -> None:
        """Add permissions."""
        if acls:
            for future in self.admin.create_acls([_binding(user, acl) for acl in acls]).values():
                future.result(HANG)

    def withdraw(self, user: str, acl: Acl) -> None:
        """Take one permission away."""
        [future] = self.admin.delete_acls([_binding(user, acl, AclBindingFilter)]).values()
        assert len(future.result(HANG)) == 1, f"{user} never had {acl}"

    def clean_up(self) -> None:
        """Remove every user with everything they may do."""
        for name in self._users:
            every = AclBindingFilter(
                ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{name}", None, AclOperation.ANY,
                AclPermissionType.ANY,
            )  # fmt: skip
            for future in self.admin.delete_acls([every]).values():
                future.result(HANG)
            gone = UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512)
            self.admin.alter_user_scram_credentials([gone])[name].result(HANG)


def _binding(user: str, acl: Acl, kind: t.Any = AclBinding) -> t.Any:
    return kind(
        ResourceType[acl.resource.upper()],
        acl.name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[acl.operation],
        AclPermissionType.ALLOW,
    )
