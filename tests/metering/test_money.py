from __future__ import annotations

from decimal import Decimal

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.errors import Invalid
from tollkeeper.metering.money import cents_of, nanos_of_cents

AS_NUMBER = msgspec.json.Encoder(decimal_format="number")


@given(st.integers(0, 10**19))
def test_nanos_survive_the_way_out_and_back_as_a_json_number(nanos: int) -> None:
    sent = AS_NUMBER.encode(cents_of(nanos))
    assert msgspec.json.decode(sent, type=Decimal) * 10**7 == nanos
    if nanos <= 10**16:
        assert nanos_of_cents(msgspec.json.decode(sent, type=Decimal)) == nanos


@pytest.mark.parametrize(
    ("nanos", "text"),
    [(0, b"0"), (30_000_000, b"3"), (12_345_678, b"1.2345678"), (5_000_000, b"0.5"), (10, b"0.000001")],
)
def test_cents_are_written_as_short_as_they_are(nanos: int, text: bytes) -> None:
    assert AS_NUMBER.encode(cents_of(nanos)) == text


@pytest.mark.parametrize(
    ("cents", "nanos"),
    [
        (3, 30_000_000),
        (Decimal("0.00000005"), 1),
        (Decimal("0.000000049"), 0),
        (Decimal("0.000000051"), 1),
        (Decimal("1.50000000000000000000000000000000000000000000"), 15_000_000),
        (Decimal("0E-999999"), 0),
        (Decimal("1E+9"), 10**16),
        (Decimal("999999999.999999999"), 10**16),
    ],
)
def test_cents_are_read_with_nine_decimals_and_rounded_half_up_to_the_nano(cents: Decimal | int, nanos: int) -> None:
    assert nanos_of_cents(cents) == nanos


@pytest.mark.parametrize(
    "cents", ["-1", "-1E-400", "1000000000.000000001", "1E+400", "0.1234567891", "1E-400", "NaN", "sNaN", "Infinity"]
)
def test_what_is_negative_too_large_or_too_fine_is_refused_by_the_fields_name(cents: str) -> None:
    with pytest.raises(Invalid) as caught:
        nanos_of_cents(Decimal(cents), field="cost")
    assert caught.value.fields["errors"][0]["field"] == "cost"


async def test_the_database_gives_the_same_cents_and_rounds_whole_ones_half_up(owner: asyncpg.Connection) -> None:
    nanos = [0, 1, 4_999_999, 5_000_000, 14_999_999, 15_000_000, 10**16, 123_456_789_012_345_678]
    rows = await owner.fetch(
        "SELECT tk_cents(n) AS cents, tk_whole_cents(n) AS whole FROM unnest($1::bigint[]) AS n", nanos
    )
    assert [row["cents"] for row in rows] == [cents_of(each) for each in nanos]
    assert [row["whole"] for row in rows] == [0, 0, 0, 1, 1, 2, 10**9, 12_345_678_901]
