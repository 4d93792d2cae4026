"""Stand-in for the get-pip script that ansible-test runs in its new virtual environments.

ansible-test downloads the original from a host of its own; scripts/ansible_test.sh puts this file where the download would
be kept, so that a package index is all that is needed. Python's own ensurepip provides a first pip, and that one installs
the version asked for.
"""

from __future__ import annotations

import runpy
import subprocess
import sys

# In a process of its own: ensurepip switches off pip's configuration for the process that it runs in.
subprocess.run([sys.executable, "-m", "ensurepip", "--upgrade"], check=True, stdout=subprocess.DEVNULL)
arguments = [argument for argument in sys.argv[1:] if argument not in {"--no-setuptools", "--no-wheel"}]
sys.argv[1:] = ["install", "--upgrade", *arguments]
runpy.run_module("pip.__main__", run_name="__main__", alter_sys=True)
