"""Models that were seen, how they are priced, the operator's own prices, and pricing anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, field

from tollkeeper.errors import Invalid, NotFound, NotUnderstood
from tollkeeper.http.body import Fault
from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import delete, get, post, put
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Cents, Heard, Instant, Moment, instant
from tollkeeper.instants import EPOCH
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.prices import models, own_prices, repricing
from tollkeeper.metering.prices.models import PriceSource, SeenModel
from tollkeeper.metering.prices.own_prices import KeptPrice
from tollkeeper.metering.prices.price_file import KINDS, OwnPrice, may_begin, nanos_of_usd, own_price
from tollkeeper.metering.prices.repricing import Range, Repriced

_PATH: Final = "/api/admin/models"
_PRICES: Final = _PATH + "/{model}/prices"
_USD: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,30})?")
_LONGEST_MODEL: Final = 200

Usd = Annotated[str, Meta(min_length=1, max_length=40)]


class PutPrice(Said, frozen=True, kw_only=True):
    """What a model costs from an instant on (left out: since ever), in USD for each million tokens.

    Prices are texts such as `2.50`. Left out, tokens read from or written to a cache cost what the input costs, and
    reasoning what the output costs. `perRequest` is USD for each request.
    """

    effective_from: Moment | None = None
    input: Usd
    output: Usd
    cache_read: Usd | None = None
    cache_write: Usd | None = None
    reasoning: Usd | None = None
    per_request: Usd | None = None

    def faults(self) -> Iterator[Fault]:
        """Name prices that are none, negative, too large or finer than a nano-USD, and a beginning beyond all times."""
        if self.effective_from is not None and not may_begin(self.effective_from):
            yield Fault("effectiveFrom", "must lie in the years from 1970 to 9998")
        for name, text in self._given():
            try:
                _nanos(text, field=name)
            except Invalid as error:
                yield Fault(name, error.fields["errors"][0]["message"])

    def as_price(self, model: str) -> OwnPrice:
        """Say the same inside."""
        rates = {kind: _nanos(text, field=kind) for kind in KINDS if (text := getattr(self, kind)) is not None}
        return own_price(model, self.effective_from or EPOCH, rates)

    def _given(self) -> Iterator[tuple[str, str]]:
        for each in msgspec.structs.fields(self):
            text = getattr(self, each.name)
            if each.name in KINDS and text is not None:
                yield each.encode_name, text


class Reprice(Said, frozen=True, kw_only=True):
    """Which requests to price anew, by their start (left out: all so far); without `apply` it is only a preview."""

    since: Moment | None = field(name="from", default=None)
    until: Moment | None = field(name="to", default=None)
    apply: bool = False

    def contradictions(self) -> list[Fault]:
        """A range has a beginning and, later, an end."""
        if self.since is not None and self.until is not None and self.since >= self.until:
            return [Fault("to", "must be later than from")]
        return []


class PricesShown(Heard, frozen=True, kw_only=True):
    """Nano-USD for each million tokens (`perRequest`: for each request), as texts; null costs as its whole."""

    input: str | None
    output: str | None
    cache_read: str | None
    cache_write: str | None
    reasoning: str | None
    per_request: str | None

    @classmethod
    def of(cls, rates: dict[str, Any]) -> PricesShown:
        """Show rates; of tiers the first."""
        return cls(**models.rates_by_kind(rates))


class ModelShown(Heard, frozen=True, kw_only=True):
    """A model, summed over all users since the beginning, and its prices of now.

    `lastSeenAt` is the hour in which a request of it began last; `tiered`: long inputs cost more than `prices` say.
    """

    model: str
    requests: int
    tokens_used: int
    cost: Cents
    cost_nanos: int
    unpriced: int
    last_seen_at: Instant | None
    price_source: PriceSource
    prices: PricesShown | None
    tiered: bool
    provider: str | None

    @classmethod
    def of(cls, seen: SeenModel) -> ModelShown:
        """Show a model."""
        return cls(
            model=seen.model,
            requests=seen.requests,
            tokens_used=seen.tokens_used,
            cost=cents_of(seen.cost_nanos),
            cost_nanos=seen.cost_nanos,
            unpriced=seen.unpriced,
            last_seen_at=seen.last_hour_at and instant(seen.last_hour_at),
            price_source=seen.price_source,
            prices=None if seen.rates is None else PricesShown.of(seen.rates),
            tiered=seen.rates is not None and models.has_tiers(seen.rates),
            provider=seen.provider,
        )


class ModelsPage(Heard, frozen=True, kw_only=True):
    """All models, the most used first: there is one page."""

    success: Literal[True] = True
    items: list[ModelShown]
    next_cursor: None = None


class OwnPriceShown(Heard, frozen=True, kw_only=True):
    """What the operator says a model costs, from an instant on."""

    model: str
    effective_from: Instant
    prices: PricesShown

    @classmethod
    def of(cls, price: KeptPrice) -> OwnPriceShown:
        """Show a price."""
        return cls(
            model=price.model,
            effective_from=instant(price.effective_from),
            prices=PricesShown.of(price.rates),
        )


class OwnPricesPage(Heard, frozen=True, kw_only=True):
    """All own prices of a model over time, the first one first: there is one page."""

    success: Literal[True] = True
    items: list[OwnPriceShown]
    next_cursor: None = None


class RepricedShown(Heard, frozen=True, kw_only=True):
    """What became of a model's requests, or would. Money over all requests that may be priced anew."""

    success: Literal[True] = True
    applied: bool
    requests: int
    changed: int
    unpriced_before: int
    unpriced_after: int
    cost_before: Cents
    cost_nanos_before: int
    cost_after: Cents
    cost_nanos_after: int

    @classmethod
    def of(cls, done: Repriced, *, applied: bool) -> RepricedShown:
        """Show what was done."""
        return cls(
            applied=applied,
            requests=done.requests,
            changed=done.changed,
            unpriced_before=done.unpriced_before,
            unpriced_after=done.unpriced_after,
            cost_before=cents_of(done.nanos_before),
            cost_nanos_before=done.nanos_before,
            cost_after=cents_of(done.nanos_after),
            cost_nanos_after=done.nanos_after,
        )


LIST: Final = Operation("admin", summary="List models with their prices", query=Said, gives={200: ModelsPage})
LIST_PRICES: Final = Operation("admin", summary="List own prices of a model", query=Said, gives={200: OwnPricesPage})
PUT: Final = Operation(
    "admin",
    summary="Set an own price of a model",
    takes=PutPrice,
    query=Said,
    gives={200: OwnPricesPage},
    examples={"2.50 USD in, 10 USD out": {"input": "2.50", "output": "10", "effectiveFrom": "2026-01-01T00:00:00Z"}},
)
DELETE: Final = Operation(
    "admin", summary="Take an own price away", query=Said, gives={200: OwnPricesPage}, problems=(NotFound,)
)
REPRICE: Final = Operation(
    "admin",
    summary="Price a model's finished requests anew",
    takes=Reprice,
    query=Said,
    gives={200: RepricedShown},
    takes_room=True,
    examples={"a preview": {"from": "2026-01-01T00:00:00Z"}, "for good": {"apply": True}},
)


@get(_PATH, LIST)
async def list_models(request: Exchange) -> Answer:
    """What requests named, and what has a price of yours. Requests that named none stand under `unknown`."""
    request.asked(Said)
    found = await models.seen(request.backend.patient)
    return Answer.of(ModelsPage(items=[ModelShown.of(each) for each in found]))


@get(_PRICES, LIST_PRICES)
async def list_prices(request: Exchange) -> Answer:
    """Each counts from its instant on, until the next one."""
    request.asked(Said)
    return await _prices(request, _model(request))


@put(_PRICES, PUT)
async def put_price(request: Exchange) -> Answer:
    """It counts for requests that start from then on; one of the same instant is replaced. Answers all of the model.

    What has finished keeps its cost until it is priced anew.
    """
    request.asked(Said)
    model = _model(request)
    said = await request.said(PutPrice)
    await own_prices.put(request.backend.database, [said.as_price(model)], actor=request.actor)
    return await _prices(request, model)


@delete(_PRICES + "/{effective_from}", DELETE)
async def delete_price(request: Exchange) -> Answer:
    """The one before it, or the public list, counts again. Answers what is left."""
    request.asked(Said)
    model, effective_from = _model(request), _instant(request)
    await own_prices.remove_one(request.backend.database, model, effective_from, actor=request.actor)
    return await _prices(request, model)


@post(_PATH + "/{model}/reprice", REPRICE)
async def reprice(request: Exchange) -> Answer:
    """By the rates of each request's own time: your price, or else the public list's.

    Requests whose cost was computed, or is not known though their tokens are, get another cost; a reported cost that
    counts stays. A preview and its application give the same numbers. It takes its time on a long history and goes on
    beside tracking; interrupted, do it again.
    """
    request.asked(Said)
    model = _model(request)
    said = await request.said(Reprice)
    backend = request.backend
    until = said.until or await backend.database.value("database_instant")
    which = Range(model, max(said.since or EPOCH, EPOCH), until)
    done = await repricing.reprice(backend.patient, which, apply=said.apply, actor=request.actor)
    return Answer.of(RepricedShown.of(done, applied=said.apply))


async def _prices(request: Exchange, model: str) -> Answer:
    found = await own_prices.of_model(request.backend.database, model)
    return Answer.of(OwnPricesPage(items=[OwnPriceShown.of(each) for each in found]))


def _model(request: Exchange) -> str:
    model = path_text(request, "model")
    if not 0 < len(model) <= _LONGEST_MODEL:
        raise NotUnderstood(f"a model's name has 1 to {_LONGEST_MODEL} characters", field="model")
    return model


def _instant(request: Exchange) -> datetime:
    try:
        return msgspec.convert(path_text(request, "effective_from"), Moment, strict=False).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise NotUnderstood("must be an instant such as 2026-01-01T00:00:00Z", field="effective_from") from None


def _nanos(text: str, *, field: str) -> int:
    if not _USD.fullmatch(text):
        raise Invalid.field(field, "must be USD as a decimal text such as 2.50")
    return nanos_of_usd(Decimal(text), field=field)
