# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an answer to the health request is good: workers judge it in gunicorn.conf.py, and modules from outside."""

# The template of gunicorn.conf.py embeds this text in the middle of that file. So there is no `from __future__` here,
# which must be at the beginning of a file, and a single name that is none of Gunicorn's settings.


class HealthAnswer:
    """What came back on a request for `path` of `host`, which came by `scheme`, http or https."""

    def __init__(self, scheme: str, host: str, path: str, status: int, location: str = "") -> None:
        self.scheme = scheme
        self.host = host
        self.path = path
        self.status = status
        self._location = location if status in (301, 302, 303, 307, 308) else ""

    def problem(self, statuses: "list[int] | tuple[int, ...]") -> str:
        """Return what is wrong with it, or an empty string.

        Without `statuses`, that is 400, all from 500, and a redirect to itself. Others are accepted: the application
        may want a login, or have nothing at the path.
        """
        if statuses:
            good = self.status in statuses
        else:
            good = 100 <= self.status < 500 and self.status != 400 and not self.leads_to_itself()
        return "" if good else f"answers {self.path} with status {self.status}"

    def advice(self) -> str:
        """Return what to do about a bad answer, where the answer alone says so."""
        if self.status == 400:
            return f"if it refuses the host name {self.host!r}, set gunicorn_health_host to one that it accepts"
        if self.leads_to_itself():
            return (
                "it sends a visitor to the same address again. If that is to come by https, the application must ask "
                "Gunicorn or the header X-Forwarded-Proto for it, and forwarded_allow_ips must have the web server"
            )
        return ""

    def wants_https(self, statuses: "list[int] | tuple[int, ...]") -> bool:
        """Return whether the request must be sent again, as one that comes by https."""
        return self.scheme == "http" and self.status not in statuses and self._target()[0] == "https"

    def leads_to_itself(self) -> bool:
        """Return whether a browser that follows a redirect would come back with the same request."""
        return bool(self._location) and self._target() == self._parts("")

    def _target(self) -> tuple:
        """Return the parts of the address of a redirect."""
        return self._parts(self._location) if self._location else ("",)

    def _parts(self, location: str) -> tuple:
        """Return the parts of an address that is relative to this one."""
        import urllib.parse

        try:
            here = f"{self.scheme}://{self.host}{self.path}"
            parts = urllib.parse.urlsplit(urllib.parse.urljoin(here, location))
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:  # no address at all
            return (location,)
        return parts.scheme, parts.hostname, port, parts.path or "/", parts.query
