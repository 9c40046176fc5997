# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the service will speak on each of its addresses, as its settings say: the health request must speak it, too."""

from __future__ import annotations

import ipaddress
from typing import Mapping, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

# Any of these in the settings makes it something else than HTTP/1.1 without TLS.
_SETTINGS = {
    "certfile",
    "keyfile",
    "http_protocols",
    "http2_cleartext",
    "protocol",
    "proxy_protocol",
    "uwsgi_allow_ips",
}
_LOOPBACK = "127.0.0.1,::1"  # Gunicorn's default for each list of those that it believes
# As Gunicorn reads the setting
_PROXY_MODES = {
    **dict.fromkeys(("", "off", "false", "0", "none"), ""),
    **dict.fromkeys(("auto", "true", "1", "v1"), "proxy-v1"),
    "v2": "proxy-v2",
}
_CLEARTEXT_MODES = {"off": False, "false": False, "upgrade": False, "prior-knowledge": True, "true": True, "both": True}


class Protocols(NamedTuple):
    """What the health request speaks, by the address as Gunicorn's --bind takes it, and what it leaves unproved."""

    by_bind: dict[str, list[str]]
    warnings: list[str]


class _Layer(NamedTuple):
    """What comes only from those whom a setting of Gunicorn's names."""

    name: str
    setting: str  # that asks for it
    allowing: str  # the setting with the addresses
    allowed: str
    instead: tuple[str, ...]  # what is spoken to others
    unproved: str


def of_service(
    settings: Mapping, worker_class: str, threads: str, environment: Mapping[str, str], binds: list[Address]
) -> Protocols:
    """Return what is spoken on the addresses; raises InvalidValue for settings with which nobody could be served."""
    if not _SETTINGS & set(settings):
        return Protocols({}, [])
    tls = ["tls"] if _has_tls(settings) else []
    _check_cleartext(settings)
    layers = [layer for layer in (_proxy(settings), _http2(settings, tls, environment), _uwsgi(settings)) if layer]
    _check_class(settings, worker_class, threads)
    warnings = []
    if tls and _word(settings, "cert_reqs", "0") not in ("0", "1"):
        what = "Gunicorn wants a certificate of each client, and the health request has none"
        warnings.append(_warning("cert_reqs", settings, what, "what visitors are answered, by TLS"))
        return Protocols({bind.gunicorn_bind: ["tcp"] for bind in binds}, warnings)
    if tls and any(layer.name.startswith("proxy-") for layer in layers):
        what = "Gunicorn takes the PROXY line inside of TLS, and balancers send it before"
        warnings.append(_warning("proxy_protocol", settings, what, "that your balancer is understood"))
    by_bind = {}
    for bind in binds:
        spoken = [*tls]
        for layer in layers:
            spoken += [layer.name] if _believes(layer.allowed, bind) else layer.instead
        if spoken:
            by_bind[bind.gunicorn_bind] = ["tcp"] if "tcp" in spoken else spoken
    for layer in layers:
        others = [bind.gunicorn_bind for bind in binds if not _believes(layer.allowed, bind)]
        if others:
            what = f"{layer.allowing} lacks this host's own address, from which the health request comes to "
            warnings.append(_warning(layer.setting, settings, what + ", ".join(others), layer.unproved))
    return Protocols(by_bind, warnings)


def _warning(setting: str, settings: Mapping, what: str, unproved: str) -> str:
    return f"gunicorn_settings['{setting}'] is {settings[setting]!r}: {what}. Not proved is {unproved}."


def _word(settings: Mapping, name: str, default: str = "") -> str:
    """The setting as Gunicorn compares it. None is its default."""
    value = settings.get(name)
    return default if value is None else str(value).strip().lower()


def _refused(name: str, settings: Mapping, expected: str) -> InvalidValue:
    return InvalidValue(f"gunicorn_settings['{name}']", settings.get(name), expected)


def _has_tls(settings: Mapping) -> bool:
    if settings.get("keyfile") and not settings.get("certfile"):
        raise _refused("keyfile", settings, "gunicorn_settings['certfile'] beside it: a key alone serves nobody")
    return bool(settings.get("certfile"))


def _speaks_http2(settings: Mapping) -> bool:
    return "h2" in [word.strip() for word in _word(settings, "http_protocols").split(",")]


def _is_uwsgi(settings: Mapping) -> bool:
    protocol = _word(settings, "protocol", "http")
    if protocol not in ("http", "uwsgi"):
        raise _refused("protocol", settings, "http or uwsgi")
    return protocol == "uwsgi"


def _check_cleartext(settings: Mapping) -> None:
    mode = _word(settings, "http2_cleartext", "off")
    if mode not in _CLEARTEXT_MODES:
        raise _refused("http2_cleartext", settings, "off, prior-knowledge, upgrade or both")
    if mode not in ("off", "false") and not _speaks_http2(settings):
        expected = "h2 in gunicorn_settings['http_protocols'] beside it: without it, Gunicorn never speaks HTTP/2"
        raise _refused("http2_cleartext", settings, expected)


def _proxy(settings: Mapping) -> _Layer | None:
    mode = _word(settings, "proxy_protocol", "off")
    if mode not in _PROXY_MODES:
        raise _refused("proxy_protocol", settings, "off, v1, v2 or auto")
    if not _PROXY_MODES[mode]:
        return None
    if _is_uwsgi(settings):
        expected = "off, as gunicorn_settings['protocol'] is uwsgi, which has no PROXY line"
        raise _refused("proxy_protocol", settings, expected)
    allowed = _list(settings, "proxy_allow_ips")
    unproved = "that the PROXY line of your balancer is accepted: Gunicorn answers others with 403"
    return _Layer(_PROXY_MODES[mode], "proxy_protocol", "proxy_allow_ips", allowed, (), unproved)


def _http2(settings: Mapping, tls: list[str], environment: Mapping[str, str]) -> _Layer | None:
    if not _speaks_http2(settings) or _is_uwsgi(settings):
        return None
    if tls:
        return _Layer("h2", "http_protocols", "", "*", (), "")
    if not _CLEARTEXT_MODES[_word(settings, "http2_cleartext", "off")]:
        return None
    allowed = _list(settings, "forwarded_allow_ips", environment.get("FORWARDED_ALLOW_IPS", _LOOPBACK))
    unproved = "that HTTP/2 is answered: others are answered by HTTP/1.1"
    return _Layer("h2", "http2_cleartext", "forwarded_allow_ips", allowed, (), unproved)


def _uwsgi(settings: Mapping) -> _Layer | None:
    allowed = _list(settings, "uwsgi_allow_ips")
    if "/" in allowed:
        expected = "addresses, or *: Gunicorn takes networks here, and nobody is ever in one"
        raise _refused("uwsgi_allow_ips", settings, expected)
    if not _is_uwsgi(settings):
        return None
    unproved = "what visitors are answered: the health request only connects"
    return _Layer("uwsgi", "protocol", "uwsgi_allow_ips", allowed, ("tcp",), unproved)


def _check_class(settings: Mapping, worker_class: str, threads: str) -> None:
    """Raise InvalidValue for what the workers of this class don't speak: some of them would even say that they do."""
    if worker_classes.has_own_parser(worker_class):
        for name, asked in (
            ("protocol", _is_uwsgi(settings)),
            ("proxy_protocol", bool(_PROXY_MODES[_word(settings, "proxy_protocol", "off")])),
        ):
            if asked:
                expected = f"no such setting with the class {worker_class!r}, whose workers take HTTP/1.1 alone"
                raise _refused(name, settings, expected)
    # Gunicorn makes gthread of sync with threads.
    is_sync = worker_classes.is_sync(worker_class) and threads in ("1", "auto")
    if _speaks_http2(settings) and (is_sync or worker_classes.has_own_parser(worker_class)):
        expected = f"h1, or gthread, gevent or asgi as gunicorn_worker_class: {worker_class!r} does not speak HTTP/2"
        raise _refused("http_protocols", settings, expected)


def _list(settings: Mapping, name: str, default: str = _LOOPBACK) -> str:
    value = settings.get(name)
    return default if value is None else ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _believes(allowed: str, bind: Address) -> bool:
    """Whether the list has the address from which a connection of this host to its own address comes."""
    words = [word.strip() for word in allowed.split(",") if word.strip()]
    if bind.path is not None or "*" in words:
        return True
    own = ipaddress.ip_address(bind.reached_at)
    for word in words:
        try:
            if own in ipaddress.ip_network(word, strict=False):
                return True
        except ValueError:  # Gunicorn says that itself, at its start
            continue
    return False
