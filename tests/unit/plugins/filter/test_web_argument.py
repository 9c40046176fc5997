# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.pyweb.gunicorn.plugins.filter.web_argument import FilterModule

web_argument = FilterModule().filters()["web_argument"]


def test_the_filter_writes_an_argument() -> None:
    """As a template puts it into a directive."""
    assert web_argument("/srv/static files/") == '"/srv/static files/"'


def test_the_filter_says_what_is_wrong() -> None:
    """In one sentence, with its own name."""
    with pytest.raises(AnsibleFilterError, match=r"web_argument: '\$a' has a \$"):
        web_argument("$a")
