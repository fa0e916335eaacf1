"""What is kept of texts: ``all`` of them, ``redacted`` (all but what is secret or personal in them), or ``none``.

Texts are what people and their programs wrote: prompt, response, error message, metadata, and the address and name of
their browser. Redaction finds what can be told by its shape: private keys, API keys and tokens, e-mail addresses, card
numbers, and the operator's own patterns. What has no shape, a name or a password in a sentence, it cannot find.

Every search here takes time in proportion to the text: whoever sends a text chooses what is searched through.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, Final, Literal, cast

TextPolicy = Literal["all", "redacted", "none"]
POLICIES: Final[tuple[TextPolicy, ...]] = ("all", "redacted", "none")

EMAIL: Final = "[email]"
KEY: Final = "[key]"
CARD: Final = "[card]"
OWN: Final = "[redacted]"

# Own patterns are searched for in windows, so that no single search takes long.
_WINDOW: Final = 16_384


def stricter(one: TextPolicy, other: TextPolicy) -> TextPolicy:
    """Of two policies that both hold, the one that keeps less."""
    return POLICIES[max(POLICIES.index(one), POLICIES.index(other))]


class Redactor:
    """Takes out of texts what is secret in them. ``own`` are patterns that ``own_patterns.read`` has found fit."""

    def __init__(self, own: Sequence[tuple[re.Pattern[str], int]] = ()) -> None:
        self._own = tuple(own)

    def text(self, text: str) -> str:
        """Give a text with a word in brackets wherever something was taken out."""
        for pattern, longest in self._own:
            text = _without_own(text, pattern, longest)
        text = _without_keys(_without_pem(text))
        if "@" in text or "%40" in text or "u0040" in text:
            text = _without_emails(_LOGIN_IN_URL.sub(rf"\1{KEY}@", text))
        return _without_cards(text)

    def document(self, document: dict[str, Any]) -> dict[str, Any]:
        """Give metadata with every text in it redacted, names of fields too, and numbers that are a card's."""
        return cast("dict[str, Any]", self._value(document))

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self._fields(cast("dict[str, Any]", value))
        if isinstance(value, list | tuple):
            return [self._value(each) for each in cast("list[Any]", value)]
        if isinstance(value, int | float) and _is_card(str(value).removesuffix(".0")):
            return CARD
        return value

    def _fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        redacted: dict[str, Any] = {}
        for name, value in fields.items():
            safe = told = self.text(name)
            number = 1
            # Two fields may be called alike once they are redacted; neither is lost.
            while safe in redacted:
                number += 1
                safe = f"{told} {number}"
            redacted[safe] = self._value(value)
        return redacted


def _without_own(text: str, pattern: re.Pattern[str], longest: int) -> str:
    """Take out what an own pattern matches. It is ``longest`` at most, so a window that much wider holds it whole."""
    kept: list[str] = []
    place = start = 0
    while start < len(text):
        # One more, so that a pattern that looks at what follows its match sees it.
        found = pattern.search(text, start, start + _WINDOW + longest + 1)
        if found is None or found.start() >= start + _WINDOW:
            start += _WINDOW
            continue
        kept += (text[place : found.start()], OWN)
        place = start = found.end()
    return "".join((*kept, text[place:])) if kept else text


def _without_pem(text: str) -> str:
    """Take out private keys as they stand in files; of one that was cut off, what there is."""
    kept: list[str] = []
    place = 0
    has_ends = True
    while begin := _PEM_BEGIN.search(text, place):
        # Whether there is any end is looked for once: many beginnings shall not make it long.
        end = _PEM_END.search(text, begin.end()) if has_ends else None
        has_ends = end is not None
        last = end or _PEM_BODY.match(text, begin.end())
        kept += (text[place : begin.start()], KEY)
        place = last.end() if last else begin.end()
    return "".join((*kept, text[place:])) if kept else text


def _without_keys(text: str) -> str:
    """Take out keys and tokens. Most words are too short to be one, and the shapes are tried on the others alone."""
    text = _WORD.sub(_without_key, text)
    if "earer " in text:
        text = _BEARER.sub(rf"\1{KEY}", text)
    if "asic " in text:
        text = _BASIC.sub(_without_login, text)
    if "ccess" in text or "AccountKey" in text or "ACCESS" in text:
        text = _NAMED_KEY.sub(rf"\1{KEY}", text)
    return text


def _without_login(found: re.Match[str]) -> str:
    """Take out a name and password as HTTP sends them. A shorter word that says no such thing is one of a sentence."""
    value = found[2]
    return f"{found[1]}{KEY}" if len(value) >= _LONG or _is_login(value) else found[0]


def _is_login(value: str) -> bool:
    try:
        told = b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4), validate=True)
    except ValueError:
        return False
    return b":" in told and told.decode(errors="replace").isprintable()


def _without_key(word: re.Match[str]) -> str:
    return _KEY.sub(KEY, word[0])


def _without_emails(text: str) -> str:
    """Take out addresses. Each is found by its sign and the domain behind it; then what stands before belongs to it."""
    kept: list[str] = []
    place = 0
    for found in _AT_DOMAIN.finditer(text):
        before = text[max(place, found.start() - _LONGEST_LOCAL) : found.start()]
        if local := _LOCAL_BACKWARDS.match(before[::-1]):
            kept += (text[place : found.start() - local.end()], EMAIL)
            place = found.end()
    return "".join((*kept, text[place:])) if kept else text


def _without_cards(text: str) -> str:
    """Take out card numbers, written as one number or in the groups in which they are printed."""
    kept: list[str] = []
    place = 0
    for first in _FIRST_OF_CARD.finditer(text):
        if first.start() < place:
            continue
        for shape in _CARDS:
            found = shape.match(text, first.start())
            if found and _is_card(found[0].translate(_ONLY_DIGITS)):
                kept += (text[place : first.start()], CARD)
                place = found.end()
                break
    return "".join((*kept, text[place:])) if kept else text


def _is_card(digits: str) -> bool:
    """Whether digits are as a card's: by length, by who may have issued it, and by the check digit (Luhn)."""
    if not _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS or not _ISSUER.match(digits):
        return False
    if not digits.isascii() or not digits.isdigit():
        return False
    doubled = digits[-2::-2].translate(_DOUBLED)
    return (sum(map(int, digits[-1::-2])) + sum(map(int, doubled))) % 10 == 0


_FEWEST_DIGITS: Final = 13
_MOST_DIGITS: Final = 19
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
_ISSUER: Final = re.compile(r"2[2-7]|3[04-9]|4|5[0-8]|6")
_BETWEEN: Final = "[ \u00a0\u2011\u2013-]"
_ONLY_DIGITS: Final = str.maketrans("", "", " \u00a0\u2011\u2013-")
_CARDS: Final = tuple(
    re.compile(shape.replace("_", _BETWEEN) + "(?![0-9])")
    for shape in (
        "[0-9]{13,19}",
        "(?:[0-9]{4}_){4}[0-9]{1,3}",
        "(?:[0-9]{4}_){3}[0-9]{1,4}",
        "[0-9]{4}_[0-9]{6}_[0-9]{4,5}",
        "[0-9]{8}_[0-9]{8}",
    )
)
# Not within a longer number and not behind a decimal point.
_FIRST_OF_CARD: Final = re.compile(
    r"[2-6](?<![0-9]{2})(?<![0-9]\.[0-9])(?=[0-9]{12}|[0-9]{3}_[0-9]{4}|[0-9]{7}_[0-9]{8})".replace("_", _BETWEEN)
)

# As long as each part of an address may be. The sign may stand there as URLs and JSON write it.
_AT_DOMAIN: Final = re.compile(r"(?:@|%40|\\u0040)[^\W_](?:[\w-]{0,62}+\.){1,10}[^\W\d_][\w-]{1,62}")
_LONGEST_LOCAL: Final = 66
_LOCAL_BACKWARDS: Final = re.compile(r"""\"[^"\n]{1,64}\"|(?:[^\s@<>()\[\]{},;:"'`|\\/=&?%]|'(?=\w)){1,64}""")
_LOGIN_IN_URL: Final = re.compile(r"(://[^\s/:@]{0,64}+:)[^\s/@]{1,256}+@")

_PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY: Final = re.compile(r"[A-Za-z0-9+/=\\\s]*+")

_WORD: Final = re.compile(r"\b[A-Za-z0-9_.-]{16,}+", re.ASCII)
# No word of a sentence is as long.
_LONG: Final = 20
_BEARER: Final = re.compile(
    r"(\b[Bb]earer[ ])(?:[A-Za-z0-9._~+/-]{20,}+|(?=[A-Za-z._~+/-]*[0-9])[A-Za-z0-9._~+/-]{8,}+)={0,2}"
)
_BASIC: Final = re.compile(r"(\b[Bb]asic[ ])([A-Za-z0-9+/]{4,}+={0,2})")
_NAMED_KEY: Final = re.compile(
    r"((?:AccountKey|SharedAccessKey)="
    r"|(?:secret_?access_?key|SECRET_ACCESS_KEY|[Ss]ecret[Aa]ccess[Kk]ey)[\"']?[ ]?[=:][ ]?[\"']?)"
    r"[A-Za-z0-9._~+/-]++={0,2}"
)
_KEYS: Final = (
    r"tk_[a-z]+_[0-9A-Za-z]{20,}(?:_[0-9A-Za-z]{6})?",  # ours
    # JSON Web Tokens. Within what may be a part of one, a first part is short: else each eyJ were followed to its end.
    r"(?:(?<![_-])eyJ[0-9A-Za-z_-]{8,}+|eyJ[0-9A-Za-z_-]{8,255}+)(?:\.[0-9A-Za-z_-]*+){2,4}",
    r"sk-[0-9A-Za-z_-]{16,}",  # OpenAI, Anthropic, OpenRouter, DeepSeek and others
    r"(?:gsk_|xai-|pplx-|r8_|hf_|csk-|fw_|jina_)[0-9A-Za-z]{20,}|(?:nvapi|tvly)-[0-9A-Za-z_-]{20,}",  # models
    r"(?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{10,}|whsec_[0-9A-Za-z]{16,}",  # Stripe
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",  # AWS
    r"AIza[0-9A-Za-z_-]{35}|GOCSPX-[0-9A-Za-z_-]{20,}|ya29\.[0-9A-Za-z_-]{20,}",  # Google
    r"gh[pousr]_[0-9A-Za-z]{30,}|github_pat_[0-9A-Za-z_]{22,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas)-[0-9A-Za-z_.-]{20,}",  # GitLab
    r"xox[abeoprs]-[0-9A-Za-z-]{10,}|xapp-[0-9A-Za-z-]{10,}",  # Slack
    r"SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}",  # SendGrid
    r"(?:SK|AC)[0-9a-f]{32}|key-[0-9a-f]{32}",  # Twilio, Mailgun
    r"npm_[0-9A-Za-z]{36}|pypi-[0-9A-Za-z_-]{40,}|dckr_pat_[0-9A-Za-z_-]{20,}",
    r"do[opr]_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|dapi[0-9a-f]{32}",
    r"lin_api_[0-9A-Za-z]{32,}|(?:ntn|secret)_[0-9A-Za-z]{40,}|hvs\.[0-9A-Za-z_-]{20,}",
    r"sq0[a-z]{3}-[0-9A-Za-z_-]{22,}|glsa_[0-9A-Za-z_]{32,}|AGE-SECRET-KEY-1[0-9A-Z]{50,}",
)
_KEY: Final = re.compile(f"(?<![A-Za-z0-9])(?:{'|'.join(_KEYS)})")
