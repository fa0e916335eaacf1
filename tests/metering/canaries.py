"""Secrets that nobody has, by the thousand, each within a text as people write it."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ALNUM: Final = string.ascii_letters + string.digits
HEX: Final = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Canary:
    """A text with a secret in it; ``needle`` is what must stand nowhere."""

    kind: str
    text: str
    needle: str


def _some(dice: random.Random, letters: str, count: int) -> str:
    return "".join(dice.choices(letters, k=count))


def _jwt(dice: random.Random) -> str:
    body = _some(dice, ALNUM, 40)
    return f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi{body}.{_some(dice, ALNUM + '-_', 43)}"


def _pem(dice: random.Random) -> str:
    lines = [base64.b64encode(dice.randbytes(48)).decode() for _ in range(3)]
    kind = dice.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
    between = dice.choice(["\n", "\r\n", r"\n"])
    return between.join((f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"))


def _email(dice: random.Random) -> str:
    name = _some(dice, string.ascii_lowercase + string.digits, 14)
    more = dice.choice(["", ".x", "+tag", "_y", "-z"])
    return f"{name}{more}@{dice.choice(['example.com', 'mail.example.co.uk', 'exämple.de', 'sub.example.museum'])}"


def card(dice: random.Random) -> str:
    """A number with a right check digit, as it is printed or typed."""
    first, length = dice.choice([("4", 16), ("51", 16), ("37", 15), ("6011", 16), ("2221", 16), ("4", 19), ("36", 14)])
    digits = first + _some(dice, string.digits, length - len(first) - 1)
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    digits += str(-total % 10)
    groups = {15: (4, 6, 5), 14: (4, 6, 4)}.get(length, (4, 4, 4, 4, 3))
    between = dice.choice(["", " ", "-", "\u00a0"])
    parts: list[str] = []
    for group in groups:
        parts.append(digits[:group])
        digits = digits[group:]
    return between.join(part for part in parts if part)


KINDS: Final[dict[str, Callable[[random.Random], str]]] = {
    "user key": lambda dice: f"tk_user_{_some(dice, ALNUM, 43)}_{_some(dice, ALNUM, 6)}",
    "service key": lambda dice: f"tk_service_{_some(dice, ALNUM, 43)}_{_some(dice, ALNUM, 6)}",
    "openai": lambda dice: f"sk-proj-{_some(dice, ALNUM + '-_', 60)}",
    "openai, old": lambda dice: f"sk-{_some(dice, ALNUM, 48)}",
    "anthropic": lambda dice: f"sk-ant-api03-{_some(dice, ALNUM + '-_', 80)}AA",
    "groq": lambda dice: f"gsk_{_some(dice, ALNUM, 52)}",
    "hugging face": lambda dice: f"hf_{_some(dice, ALNUM, 34)}",
    "google": lambda dice: f"AIza{_some(dice, ALNUM, 35)}",
    "aws": lambda dice: f"AKIA{_some(dice, string.ascii_uppercase + '234567', 16)}",
    "github": lambda dice: f"gh{dice.choice('pousr')}_{_some(dice, ALNUM, 36)}",
    "github, fine": lambda dice: f"github_pat_{_some(dice, ALNUM, 22)}_{_some(dice, ALNUM, 59)}",
    "gitlab": lambda dice: f"glpat-{_some(dice, ALNUM, 20)}",
    "slack": lambda dice: f"xoxb-{_some(dice, string.digits, 11)}-{_some(dice, ALNUM, 24)}",
    "stripe": lambda dice: f"sk_live_{_some(dice, ALNUM, 24)}",
    "sendgrid": lambda dice: f"SG.{_some(dice, ALNUM, 22)}.{_some(dice, ALNUM, 43)}",
    "npm": lambda dice: f"npm_{_some(dice, ALNUM, 36)}",
    "twilio": lambda dice: f"SK{_some(dice, HEX, 32)}",
    "jwt": _jwt,
    "pem": _pem,
    "email": _email,
    "card": card,
}
_AROUND: Final = (
    "{}",
    "my secret is {}.",
    "Please use {} for it, thanks",
    "api_key={}&q=1",
    'curl -H "x-api-key: {}" https://api.example.com/v1',
    "({})",
    '{{"key": "{}", "n": 3}}',
    "first line\n{}\nlast line",
    "`{}`",
    "geheim: {}, naïve 中文",
)


def canaries(count: int, *, seed: int) -> list[Canary]:
    """Make some, of all kinds in turn."""
    dice = random.Random(seed)
    kinds = list(KINDS.items())
    made: list[Canary] = []
    for number in range(count):
        kind, make = kinds[number % len(kinds)]
        secret = make(dice)
        around = dice.choice(_AROUND)
        # Of a file's key one line is as telling as all; of the rest the whole, for its beginning tells nothing.
        needle = secret.replace("\r", "").replace("\\n", "\n").split("\n")[1] if kind == "pem" else secret
        made.append(Canary(kind, around.replace("{}", secret, 1).replace("{{", "{").replace("}}", "}"), needle))
    return made
