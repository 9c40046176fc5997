# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action gunicorn_release; its documentation is in the module of the same name."""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
import urllib.parse
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import login as release_login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source as release_source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import wanted
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.login import Login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.source import Source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils import _release as controller
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._release import Checkout

# How get_url says that a file has another hash
_OTHER_HASH = re.compile(r"checksum for .* did not match .* it was ([0-9a-f]{64})")
_MODULE = "pyweb.gunicorn.gunicorn_release"


class ActionModule(ActionBase):
    """Finds on the controller what is there of the release, and brings that; all else is the module's."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        """Return the module's result."""
        result = super().run(tmp, task_vars)
        try:
            return {**result, **self._run(task_vars or {})}
        except InvalidValue as error:
            raise AnsibleActionFail(f"{error}. Nothing was changed.") from None

    def _run(self, task_vars: dict) -> dict:
        source, login, arguments = self._read(plain(self._task.args))
        checkout, file = None, ""
        if source.kind == "checkout":
            checkout = Checkout(self._loader.path_dwim(source.location), source)
            arguments["identity"] = checkout.commit
            arguments["source"] = {**arguments["source"], "path": checkout.path}
        elif source.kind == "archive" and not (source.is_url or source.is_on_host):
            file = self._found(source)
            arguments["identity"] = controller.sha256_of(file, source)
        is_brought_here = bool(checkout or file or (source.kind == "archive" and source.is_url))
        found = self._module(arguments, task_vars, check_mode=self._task.check_mode or is_brought_here)
        if checkout:
            found.setdefault("warnings", []).extend(checkout.warnings())
        if self._task.check_mode or not is_brought_here or found.get("failed") or found["there"]:
            return found
        if checkout:
            brought = self._transfer_checkout(checkout)
        else:
            brought = self._transfer(file) if file else self._download(source, login, task_vars)
        if isinstance(brought, dict):
            return brought
        made = self._module({**arguments, "file": brought}, task_vars, check_mode=False)
        return {**made, "warnings": [*found.get("warnings", []), *made.get("warnings", [])]}

    def _read(self, arguments: dict) -> tuple[Source, Login, dict]:
        """The source, what opens it, and the arguments as the module may be seen to get them."""
        source = release_source.parse(arguments.get("source"))
        given = wanted.decoded(arguments.get("login") or "")
        login = release_login.parse(given)
        if source.shown != source.location:
            # A token in the URL goes where it is not shown.
            text = base64.b64encode(json.dumps({**given, "url": source.location}).encode()).decode()
            shown = {name: urls.without_passwords(item) for name, item in arguments["source"].items()}
            arguments = {**arguments, "login": text, "source": shown}
        return source, login, arguments

    def _found(self, source: Source) -> str:
        """The path of an archive on the controller: found as the module copy finds one, or beside the playbook."""
        try:
            return self._find_needle("files", os.path.expanduser(source.location))
        except AnsibleError:
            return self._loader.path_dwim(source.location)

    def _module(self, arguments: dict, task_vars: dict, check_mode: bool) -> dict:
        before = self._task.check_mode
        self._task.check_mode = check_mode
        try:
            return self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars)
        finally:
            self._task.check_mode = before

    def _transfer_checkout(self, checkout: Checkout) -> str:
        descriptor, path = tempfile.mkstemp(suffix=".tar")
        os.close(descriptor)
        try:
            checkout.write(path)
            return self._transfer(path)
        finally:
            os.unlink(path)

    def _transfer(self, path: str) -> str:
        """Bring a file to the host, into Ansible's temporary directory there."""
        target = self._connection._shell.join_path(self._temporary(), "release")
        self._transfer_file(path, target)
        self._fixup_perms2((self._temporary(), target))
        return target

    def _temporary(self) -> str:
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        return self._connection._shell.tmpdir

    def _download(self, source: Source, login: Login, task_vars: dict) -> str | dict:
        """Have the host fetch an archive; returns its path there, or why that failed."""
        target = self._connection._shell.join_path(self._temporary(), "release")
        given: dict[str, Any] = {
            "url": source.location,
            "dest": target,
            "checksum": f"sha256:{source.sha256}",
            # Else an archive that the server calls encoded is unpacked, and has another hash.
            "decompress": False,
            "mode": "0600",
            "timeout": 60,
        }
        if login.password:
            # A server behind a redirection, such as a store of objects, must not get the login, and could not use it.
            others = {"force_basic_auth": True, "unredirected_headers": ["Authorization"]}
            given.update(others, url_username=login.user, url_password=login.password)
        elif source.shown != source.location:
            # Without a user, it is not sent, and get_url keeps the value out of logs and output: also in the URL.
            given["url_password"] = urllib.parse.urlsplit(source.location).query
        done = self._execute_module(module_name="ansible.builtin.get_url", module_args=given, task_vars=task_vars)
        if not done.get("failed"):
            return target
        other = _OTHER_HASH.search(str(done.get("msg")))
        if other:
            expected = f"that of {source.shown}, which is sha256:{other[1]}"
            raise InvalidValue(f"{release_source.VARIABLE}['checksum']", f"sha256:{source.sha256}", expected)
        return {"failed": True, "msg": f"gunicorn_release: {_refusal(source, login, done)}. Nothing was changed."}


def _refusal(source: Source, login: Login, done: dict) -> str:
    """Why get_url has failed, without what opens the archive."""
    if done.get("status_code") in (401, 403):
        given = "refuses what is" if login.password else "asks for a user and a password; give them"
        return f"{source.shown} {given} in {release_login.VARIABLE} (HTTP {done['status_code']})"
    said = str(done.get("response") or done.get("msg")).replace(source.location, source.shown)
    said = values_text.shown(values_text.masked(urls.without_passwords(said), login.secrets))
    return f"{source.shown} can't be fetched ({said.rstrip('.')})"


def plain(value: Any) -> Any:
    """A value made of JSON's own types, without Ansible's classes, such as that of a value from a vault."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
