# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What can be sent as the value of an HTTP header. No I/O."""

from __future__ import annotations

UNSENDABLE = "can't be sent in an HTTP header: it holds a line break, or a character that is not of Latin-1"


def sendable(value: str) -> bool:
    """Whether it can be the value of an HTTP header."""
    return not any(ord(character) > 255 or not (character.isprintable() or character == "\t") for character in value)
