# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvState


class TestState:
    def test_the_fingerprint_is_over_all_versions(self) -> None:
        """It changes with Python and with any package, and not with the order in which they were found."""
        versions = {"gunicorn": "27.0.1", "django": "5.2"}
        state = VenvState("/v-1", "3.11.2", "/usr/bin/python3.11", "27.0.1", True, versions, True, [], [], True)
        assert state.listing == "django==5.2\ngunicorn==27.0.1\n"
        same = state._replace(versions={"django": "5.2", "gunicorn": "27.0.1"}, unmet=["x"])
        assert same.fingerprint == state.fingerprint
        others = [
            state._replace(directory="/v-2"),
            state._replace(python_version="3.11.3"),
            state._replace(versions={**versions, "django": "5.3"}),
        ]
        assert len({state.fingerprint, *(other.fingerprint for other in others)}) == 4
