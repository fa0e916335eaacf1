"""What is secret by its shape is taken out of a text, nothing else is, and no text makes it take long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metering.canaries import KINDS, canaries
from tollkeeper.errors import Misconfigured
from tollkeeper.metering.tracking import own_patterns
from tollkeeper.metering.tracking.texts import POLICIES, Redactor, stricter
from tollkeeper.settings import Settings

REDACTOR = Redactor()
HALF_A_MIB = 2**19


def test_every_kind_of_secret_is_taken_out_wherever_it_stands() -> None:
    many = canaries(3000, seed=1)
    assert {each.kind for each in many} == KINDS.keys()
    left = [each for each in many if each.needle in REDACTOR.text(each.text)]
    assert left == []


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Write to alice@example.com, please.", "Write to [email], please."),
        ("<Bob.O'Neil+x@mail.example.co.uk>", "<[email]>"),
        ("q=alice%40example.com&x=1", "q=[email]&x=1"),
        (r'{"to": "alice\u0040example.com"}', '{"to": "[email]"}'),
        ("über@exämple.de und 李@例子.中国", "[email] und [email]"),
        ('"john doe"@example.com', "[email]"),
        ("to: 'alice@example.com'", "to: '[email]'"),
        ("a@b.example, c@d.example", "[email], [email]"),
        ("card 4111 1111 1111 1111 exp 12/29", "card [card] exp 12/29"),
        ("3782-822463-10005", "[card]"),
        ("2024 5500 0000 0000 0004 77", "2024 [card] 77"),
        ("x4111111111111111x", "x[card]x"),
        ("https://bob:hunter2@localhost:5432/db", "https://bob:[key]@localhost:5432/db"),
        ("Authorization: Bearer 0123456789abcdefghijkl==", "Authorization: Bearer [key]"),
        ("Authorization: Bearer 8f14e45fceea167a", "Authorization: Bearer [key]"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [key]"),
        ("curl -H 'authorization: basic dTpw'", "curl -H 'authorization: basic [key]'"),
        ("AccountKey=abc; secret_access_key: 'short'", "AccountKey=[key]; secret_access_key: '[key]'"),
        ("OPENAI_API_KEY=sk-proj-0123456789abcdefghij", "OPENAI_API_KEY=[key]"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----\nok", "[key]\nok"),
        ("cut off: -----BEGIN PRIVATE KEY-----\nMHcCAQ+/=\n(and no end)", "cut off: [key](and no end)"),
    ],
)
def test_what_is_around_a_secret_stays(text: str, redacted: str) -> None:
    assert REDACTOR.text(text) == redacted
    assert REDACTOR.text(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111 1111 1111 1112 fails the check digit",
        "1732680000000000 us, 0.4111111111111111, 12345678901234567890123",
        "019489ad-7e2f-7b0a-9d4e-2f1c3a5b7d9e",
        "@decorator\ndef f(x) -> None: a @ b; me@localhost",
        "task-management-is-a-long-word, risk-averse-0123456789abcdef, desk-0123456789abcdefghij",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "src/tollkeeper/metering/tracking/own_patterns.py:123: a_function_with_quite_a_long_name_indeed()",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "Basic understanding of a Bearer token, Basic JavaScript, bearer certificates, a basic user1234",
        "the access key is lost, AccountKey or none",
        "Telefon +49 30 1234567, 2026-05-13 12:00:00",
        "😀 \u202e 中文",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert REDACTOR.text(text) == text


def test_metadata_is_redacted_in_depth_with_the_names_of_its_fields() -> None:
    card = 4111111111111111
    document = {
        "to": ["alice@example.com", {"bob@example.com": 1, "carol@example.com": 2}],
        "card": card,
        "float": float(card),
        "ok": [1, 2.5, None, True, "text"],
    }
    assert REDACTOR.document(document) == {
        "to": ["[email]", {"[email]": 1, "[email] 2": 2}],
        "card": "[card]",
        "float": "[card]",
        "ok": [1, 2.5, None, True, "text"],
    }


@given(st.text(st.sampled_from("aZ0149.@-_ :/%sktey="), max_size=200))
def test_what_was_redacted_once_stays_as_it_is(text: str) -> None:
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once


@pytest.mark.parametrize(
    "piece",
    ["a", "@", "a@", "a@a.", "4", "4444 ", "44-", "eyJ.", "eyJaaaaaaaa..", "-eyJaaaaaaaa", "_eyJaaaaaaaa.a",
     "-----BEGIN PRIVATE KEY-----", "sk-",
     "://", "@://a:b", "Bearer a ", "Bearer aaaaaaaaaaaa", "Basic dXNlcjpwYXNz ",
     "Basic aaaa", '"@', "a" * 63 + "@", "x@" + "a." * 12, "-_", "tk_a_", "secret_access_key= "],
)  # fmt: skip
def test_no_text_makes_redaction_long(piece: str) -> None:
    text = piece * (HALF_A_MIB // len(piece))
    began = time.process_time()
    REDACTOR.text(text)
    assert time.process_time() - began < 5


def test_own_patterns_are_taken_out_too() -> None:
    redactor = Redactor(own_patterns.read([r"(?i)\bacme-[0-9]{4,8}\b", "K[0-9]{3}"]))
    assert redactor.text("ACME-1234, acme-123, K007 Acme-12345678.") == "[redacted], acme-123, [redacted] [redacted]."
    # Across the places where a long text is searched in parts.
    for at in range(16_370, 16_390):
        assert (
            redactor.text("x" * at + " acme-1234 " + "K123" * 9000) == "x" * at + " [redacted] " + "[redacted]" * 9000
        )


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("[", "no regular expression"),
        ("a+", "how long"),
        ("a*", "how long"),
        ("a{3,}", "how long"),
        ("(?=a)b", "looks ahead"),
        ("(?<!a)b", "looks ahead"),
        ("(?P<x>a)", "looks ahead"),
        (r"(a)\1", "not known here"),
        ("a?", "where nothing is"),
        (r"\b", "where nothing is"),
        ("a{1,3}?", "twice"),
        ("(a{1,20}){1,20}b", "steps"),
        ("x{1,2000}", "steps"),
        ("[0-9]{1,30}[0-9]{1,30}x", "steps"),
        ("(?:(?:a{100}){100}){100}", "steps|characters"),
        ("(" * 500 + "a" + ")" * 500, "no regular expression|not known"),
    ],
)
def test_a_pattern_that_could_take_long_is_refused_at_the_start(pattern: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=rf"TOLLKEEPER_REDACT_PATTERNS has a pattern \(number 2\) that.*({told})"):
        Settings.of({"TOLLKEEPER_REDACT_PATTERNS": f"ok[0-9] {pattern}"})


def test_all_patterns_together_are_bounded() -> None:
    with pytest.raises(Misconfigured, match="20 patterns"):
        Settings.of({"TOLLKEEPER_REDACT_PATTERNS": "a " * 21})
    with pytest.raises(Misconfigured, match="together"):
        Settings.of({"TOLLKEEPER_REDACT_PATTERNS": "x[0-9]{300} " * 4})
    assert Settings.of({"TOLLKEEPER_REDACT_PATTERNS": " ACME-[0-9]{6}\t[]a]x "}).redact_patterns == (
        "ACME-[0-9]{6}",
        "[]a]x",
    )


def test_the_costliest_patterns_on_the_worst_text_are_bounded() -> None:
    redactor = Redactor(own_patterns.read(["[A-Z]{2}[A-Z]{1,12}[A-Z]{1,12}x"] * 2))
    began = time.process_time()
    redactor.text("A" * HALF_A_MIB)
    assert time.process_time() - began < 20


def test_of_two_policies_the_one_that_keeps_less_holds() -> None:
    for strict, one in enumerate(POLICIES):
        for stricter_still, other in enumerate(POLICIES):
            assert stricter(one, other) == POLICIES[max(strict, stricter_still)]
    with pytest.raises(Misconfigured, match="TOLLKEEPER_TEXT_POLICY must be one of all, redacted, none"):
        Settings.of({"TOLLKEEPER_TEXT_POLICY": "some"})
