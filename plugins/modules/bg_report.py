#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the work is done by the action plugin of the same name.

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_report
short_description: Write the files of a report on the control node
version_added: 0.1.0
description:
  - Afterwards the folder O(dest) exists, is writable, and holds O(files).
  - It runs in Ansible's own process; on a busy control node starting another one would take longer than the rest.
  - Each file is replaced atomically. A reader always finds the old text or the new one, even if the run is killed.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
attributes:
  check_mode:
    support: full
    details: Writes nothing. Checks permissions; a full disk is noticed only in a real run.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  dest:
    description:
      - Folder on the control node. It and its parents are created with mode 0755; an existing one is not changed.
      - C(~) and environment variables are expanded. A relative path starts in the working directory of the run.
    type: path
    required: true
  files:
    description:
      - Texts to write, by file name without a folder.
      - A file is written, with mode 0644, only if its text differs. Other files in the folder are left alone.
      - Without files the folder is only created and checked, which is useful before a long run.
    type: dict
    default: {}
notes:
  - A run that is killed while it writes may leave a hidden file C(.bg_report-*.tmp) in the folder; it can be removed.
  - It runs as the user who runs Ansible, on the control node; C(connection) and C(become) have no effect.
  - Values of O(files) must be strings; convert a dictionary with P(ansible.builtin.to_nice_json#filter).
seealso:
  - module: ansible.builtin.copy
  - module: ansible.builtin.template
"""

EXAMPLES = r"""
- name: Make sure that the folder for reports is writable
  streamops.bluegreen.bg_report:
    dest: ~/reports

- name: Write reports for programs and for people
  streamops.bluegreen.bg_report:
    dest: ~/reports
    files:
      order-consumer.json: "{{ handed_over | to_nice_json }}"
      order-consumer.txt: "{{ lookup('ansible.builtin.template', 'summary.txt.j2') }}"
"""

RETURN = r"""
dest:
  description: The folder, as an absolute path.
  returned: success
  type: str
  sample: /home/operator/reports
files:
  description: Absolute paths of O(files), whether written or unchanged.
  returned: success
  type: list
  elements: str
  sample: [/home/operator/reports/order-consumer.json, /home/operator/reports/order-consumer.txt]
"""
