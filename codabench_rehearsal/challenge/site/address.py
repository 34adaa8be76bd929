"""Where a challenge is on the web: a number on the usual site, or its page's address."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from codabench_rehearsal.challenge.site.wire import SiteError, is_loopback
from codabench_rehearsal.console.words import shown

USUAL = "https://www.codabench.org"
URL_VARIABLE = "CODABENCH_URL"  # another site, for a number alone and for CODABENCH_TOKEN
_PORTS = {"http": 80, "https": 443}
_COMPETITION = re.compile(r"/competitions/(\d{1,12})(?:/.*)?")


@dataclass(frozen=True)
class Address:
    """A challenge on a site. base: "https://host", without a path. number: the challenge's."""

    base: str
    number: int

    @property
    def host(self) -> str:
        """The site's host, with its port where it has one of its own."""
        return urlsplit(self.base).netloc

    @property
    def page(self) -> str:
        """The challenge's page, for people."""
        return f"{self.base}/competitions/{self.number}/"


def is_address(text: str) -> bool:
    """Whether a challenge is named by its number or address, and not by a file or a profile."""
    is_one = text.isdecimal() or text.lower().startswith(("http:", "https:"))
    return is_one and not Path(text).exists()


def read_address(text: str) -> Address:
    """A challenge by its number, on $CODABENCH_URL or codabench.org, or by its page's address.

    Raises `SiteError` for another text, and for a site on which the token could be read.
    """
    if text.isdecimal() and len(text) <= 12:
        return Address(usual_site(), int(text))
    with suppress(ValueError):  # brackets that hold no address
        if found := _COMPETITION.fullmatch(urlsplit(text).path):
            return Address(site_of(text), int(found[1]))
    raise SiteError(
        f"{shown(text)}: expected a challenge's number or its page's address, such as 1234 or "
        f"{USUAL}/competitions/1234/."
    )


def usual_site() -> str:
    """$CODABENCH_URL, else codabench.org. Raises `SiteError`."""
    return site_of(os.environ.get(URL_VARIABLE) or USUAL)


def site_of(url: str) -> str:
    """The site of an address: "https://host", or "https://host:8443" with a port of its own.

    The address is the site's own or one of its pages'. Raises `SiteError` for what is none, for a
    site that lies below a folder, and for one on which the token could be read.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SiteError(f"{shown(url)}: expected an address such as {USUAL}.") from None
    if not host or "@" in parts.netloc or parts.scheme not in ("http", "https"):
        raise SiteError(f"{shown(host or url)}: expected an address such as {USUAL}.")
    if parts.scheme == "http" and not is_loopback(host):
        raise SiteError(
            f"{shown(url)}: expected https, received http: anybody on the way could read the token."
        )
    if parts.path.strip("/") and not f"{parts.path}/".startswith("/competitions/"):
        raise SiteError(
            f"{shown(url)}: expected a site's address without a path, such as {USUAL}: one in a "
            "folder of its host is not supported."
        )
    plain = f"[{host}]" if ":" in host else host
    own = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{plain}{own}"


def file_name(base: str) -> str:
    """A site as the name of a file or folder of ours; no two sites have the same."""
    return urlsplit(base).netloc.replace("+", "++").replace(":", "+")
