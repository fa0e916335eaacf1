from __future__ import annotations

import pytest

from tollkeeper.accounts.devices import device_of

WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0", "Firefox on Android"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {WEBKIT} FxiOS/144.0", "Firefox on iPhone"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", "Chrome on Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {CHROME} Safari/537.36", "Chrome on Mac"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Chrome on Android"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", "Chrome on ChromeOS"),
        (f"Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) {WEBKIT} CriOS/141.0 Safari/604.1", "Chrome on iPad"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/141.0.0.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36 EdgA/141.0", "Edge on Android"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36 OPR/122.0.0.0", "Opera on Linux"),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) SamsungBrowser/28.0 {CHROME} Safari/537.36",
            "Samsung Internet on Android",
        ),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18.1 Safari/605.1.15", "Safari on Mac"),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {WEBKIT} Version/18.1 Safari/604.1",
            "Safari on iPhone",
        ),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {WEBKIT} Mobile/15E148", "App on iPhone"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Electron/38.0 Safari/537.36", "App on Linux"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/141.0 Safari/537.36", "Chrome on Linux"),
        ("curl/8.14.1", "curl"),
        ("python-httpx/0.28.1", "Python"),
        ("Python/3.11 aiohttp/3.14.5", "Python"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Unknown browser on Linux"),
        ("something else", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("", "Unknown device"),
        (None, "Unknown device"),
    ],
)
def test_a_device_is_named_as_people_call_it(user_agent: str | None, device: str) -> None:
    assert device_of(user_agent) == device
