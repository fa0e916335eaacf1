"""What people call the device of a sign-in: the browser and the system that its user agent names.

A user agent is whatever its sender likes to say: it is shown to the person, and nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_Names = Sequence[tuple[str, str]]

# Each says the names of those that it is made of, or wants to be taken for, too: the first that is found counts.
_BROWSERS: Final[_Names] = (
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Focus/", "Firefox Focus"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("GSA/", "Google app"),
    ("Electron/", "App"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("AppleWebKit/", "App"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-", "Python"),
    ("Python/", "Python"),
    ("okhttp/", "App"),
)
_SYSTEMS: Final[_Names] = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("iPod", "iPod"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "Mac"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
    ("X11", "Linux"),
)


def device_of(user_agent: str | None) -> str:
    """Name a device, such as "Firefox on Linux"; what is not known is not guessed."""
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if system is None:
        return browser or "Unknown device"
    return f"{browser or 'Unknown browser'} on {system}"


def _first(names: _Names, user_agent: str | None) -> str | None:
    return next((name for word, name in names if word in (user_agent or "")), None)
