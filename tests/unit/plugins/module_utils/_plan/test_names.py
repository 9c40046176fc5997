# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import names as plan_names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


class TestDropIns:
    def test_they_must_not_say_how_a_service_starts_that_is_taken_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Others are an administrator's right, and so are those of a service that the role made."""
        monkeypatch.setattr(units, "UNIT_DIRECTORY", str(tmp_path))
        drop_in = tmp_path / "shop.service.d" / "override.conf"
        drop_in.parent.mkdir()
        drop_in.write_text("[Service]\nMemoryMax=1G\n# User=root\n")
        unit = tmp_path / "shop.service"
        unit.write_text("[Service]\nExecStart=/opt/shop/venv/bin/gunicorn\n")
        plan_names._check_drop_ins("shop")
        drop_in.write_text("[Service]\nMemoryMax=1G\nUser = web\n")
        with pytest.raises(
            InvalidValue, match=r"gunicorn_service_name: 'shop'.*no User= .*shop.service.d/override.conf"
        ):
            plan_names._check_drop_ins("shop")
        unit.write_text("# Managed by Ansible (role pyweb.gunicorn.gunicorn): x\n[Service]\n")
        plan_names._check_drop_ins("shop")
