"""Settings of Sphinx for `make docs`."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

project = "streamops.bluegreen"
project_copyright = "streamops.bluegreen contributors"
html_title = "streamops.bluegreen"
html_short_title = "streamops.bluegreen"

extensions = ["myst_parser", "sphinx_antsibull_ext"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 4

highlight_language = "YAML+Jinja"
pygments_style = "ansible"
html_theme = "sphinx_ansible_theme"
html_theme_options = {
    "documentation_home_url": "https://github.com/streamops/bluegreen",
    "topbar_links": {
        "Source": "https://github.com/streamops/bluegreen",
        "Issues": "https://github.com/streamops/bluegreen/issues",
    },
    "navigation_depth": 2,
}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_use_index = False
html_copy_source = False

# antsibull-docs refers to pages of Ansible's own documentation. Nothing is fetched to find them: a label that is not
# listed here fails the build.
ANSIBLE = "https://docs.ansible.com/ansible/latest/"
LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
PLUGIN = re.compile(r"ansible_collections\.(ansible|community|kubernetes)\.(\w+)\.(\w+?_[a-z]+)(__|$)")


def ansible_page(_app: Any, _env: Any, node: nodes.Element, content: nodes.Element) -> nodes.Element | None:
    """Return a link to the page of Ansible's documentation that a label means; none for any other."""
    label = node["reftarget"]
    plugin = PLUGIN.match(label)
    page = "collections/{}/{}/{}.html".format(*plugin.groups()[:3]) if plugin else LABELS.get(label)
    return nodes.reference("", "", content, refuri=ANSIBLE + page) if page else None


def setup(app: Any) -> None:
    """Register what Sphinx calls."""
    app.connect("missing-reference", ansible_page)
