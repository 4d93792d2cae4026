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
  - Afterwards the folder O(dest) is there, can be written, and holds O(files).
  - Everything happens in Ansible itself, without a start of a process, which on a busy control node takes longer than the
    rest of a report.
  - A file is replaced in one step, so whoever reads it, and whenever the run is killed, finds the old text or the new one.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
attributes:
  check_mode:
    support: full
    details: Writes nothing. Rights are looked at; that a disk is full shows only in a real run.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  dest:
    description:
      - Folder on the control node. It is made with the mode 0755, as its parents are; one that is there stays as it is.
      - C(~) and environment variables are expanded. A relative path begins in the working directory of the run.
    type: path
    required: true
  files:
    description:
      - Texts to write, by the name of the file, which has no folder in it.
      - A file is written, with the mode 0644, only when its text differs. Other files in the folder are left alone.
      - Without files only the folder is made and proven writable, which is worth doing before a run that takes long.
    type: dict
    default: {}
notes:
  - A run that is killed while it writes may leave a hidden file C(.bg_report-*.tmp) in the folder; it can be removed.
  - It runs as the user who runs Ansible, on the machine where Ansible runs; C(connection) and C(become) do not matter.
  - The texts must be texts; make one of a dictionary with P(ansible.builtin.to_nice_json#filter).
seealso:
  - module: ansible.builtin.copy
  - module: ansible.builtin.template
"""

EXAMPLES = r"""
- name: The folder for reports can be written
  streamops.bluegreen.bg_report:
    dest: ~/reports

- name: Report for machines and for people
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
  description: Absolute paths of O(files), written or left as they were.
  returned: success
  type: list
  elements: str
  sample: [/home/operator/reports/order-consumer.json, /home/operator/reports/order-consumer.txt]
"""
