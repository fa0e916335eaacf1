"""Every error that a caller can cause or meet, in one tree: raised where it is known, answered by one handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, ParamSpec, TypeVar

Given = ParamSpec("Given")
Read = TypeVar("Read")


class TollkeeperError(Exception):
    """A fact with a status: ``detail`` is worded for its reader, ``fields`` go into the problem document."""

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str, **fields: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


class NotUnderstood(TollkeeperError):
    """The bytes are not what they claim to be (HTTP, UTF-8, JSON), or an id cannot be one."""

    status = HTTPStatus.BAD_REQUEST
    slug = "not-understood"
    title = "The request could not be read"


class NotSigned(NotUnderstood):
    """An event that is not signed by who is said to send it, or was long ago: nothing of it is believed."""

    slug = "not-signed"
    title = "Not signed by its sender"


class NobodyKnown(TollkeeperError):
    """No valid key and no valid session."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "not-signed-in"
    title = "Sign in or send a key"


class LinkOver(NobodyKnown):
    """A sign-in link works once, within ten minutes. Whoever runs the service makes another."""

    slug = "link-over"
    title = "This link no longer works"


class CodeWrong(NobodyKnown):
    """The code of a mail, mistyped or guessed: ``triesLeft`` says how often it may be tried again."""

    slug = "code-wrong"
    title = "That is not the code"


class CodeOver(NobodyKnown):
    """A code works once, within ten minutes, in the browser that asked for it, and may be mistyped five times."""

    slug = "code-over"
    title = "This code no longer works"


class PasskeyRefused(NobodyKnown):
    """A passkey signs in once for each time that it is asked: in the browser that asked, within five minutes."""

    slug = "passkey-refused"
    title = "This passkey was not accepted"


class NotAllowed(TollkeeperError):
    """Known, and not allowed to do this."""

    status = HTTPStatus.FORBIDDEN
    slug = "not-allowed"
    title = "Not allowed"


class SignInAgain(NotAllowed):
    """What matters most asks for a sign-in of the last 15 minutes: the session may be in other hands by now."""

    slug = "sign-in-again"
    title = "Sign in again to do this"


class AskedElsewhere(NotAllowed):
    """The link of a mail works in the browser that asked for the mail: whoever else has it is signed in by nothing."""

    slug = "asked-elsewhere"
    title = "Open this link where you asked for it"


class AccountInactive(NotAllowed):
    """The operator has switched this account off."""

    slug = "account-inactive"
    title = "The account is inactive"


class NotInPlan(NotAllowed):
    """The plan's features do not include this request type or model."""

    slug = "not-in-plan"
    title = "Not included in the plan"


class NeedsCheckout(NotAllowed):
    """A plan that users do not take by themselves: it comes through a checkout or from an operator.

    ``checkout`` says where it is bought, ``portal`` where who pays already changes it.
    """

    slug = "not-self-service"
    title = "Not a plan to take by oneself"


class UnpricedModel(NotAllowed):
    """A plan with a money limit admits only models whose price is known."""

    slug = "unpriced-model"
    title = "The model has no known price"


class NotFound(TollkeeperError):
    """Not there, or not yours: the same answer."""

    status = HTTPStatus.NOT_FOUND
    slug = "not-found"
    title = "Not found"


class Contradiction(TollkeeperError):
    """Contradicts what is recorded."""

    status = HTTPStatus.CONFLICT
    slug = "contradiction"
    title = "Contradicts what is recorded"


class SignInFirst(Contradiction):
    """An account is connected with GitHub by who is signed in to it: that addresses are the same proves too little."""

    slug = "sign-in-first"
    title = "There is an account with this address already"


class KeyReused(Contradiction):
    """The same request id or idempotency key came with another payload; of chat requests ``id`` is whose it is."""

    slug = "key-reused"
    title = "This id was used with another payload"


class NotForSale(Contradiction):
    """A plan that is not sold here, or not so: Stripe is not set up, or the catalogue names no price for it."""

    slug = "not-for-sale"
    title = "Not for sale here"


class AlreadyFinished(Contradiction):
    """A chat request is finished once."""

    slug = "already-finished"
    title = "The request is already finished"


class StillPending(Contradiction):
    """A request is rated after it is finished."""

    slug = "still-pending"
    title = "The request is still pending"


class TooLarge(TollkeeperError):
    """More bytes than are read."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "too-large"
    title = "Too large"


class NotReadable(TollkeeperError):
    """A content type or encoding that is not read here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    slug = "unsupported-media-type"
    title = "Not a type that is read here"


class Invalid(TollkeeperError):
    """JSON of the wrong shape. ``errors`` lists ``{"field": ..., "message": ...}``, one for each faulty field."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid"
    title = "The request is not valid"

    @classmethod
    def field(cls, field: str, message: str) -> Invalid:
        """Name one faulty field."""
        return cls.several([{"field": field, "message": message}])

    @classmethod
    def several(cls, errors: Sequence[Mapping[str, str]]) -> Invalid:
        """Name all faulty fields."""
        return cls("; ".join(f"{each['field']}: {each['message']}" for each in errors), errors=list(errors))


class Faults:
    """Gathers what is not valid, so that whoever wrote it hears of all of it at once."""

    def __init__(self) -> None:
        self._told: list[Mapping[str, str]] = []

    def add(self, field: str, message: str) -> None:
        """Note one faulty field."""
        self._told.append({"field": field, "message": message})

    def of(self, read: Callable[Given, Read], /, *args: Given.args, **kwargs: Given.kwargs) -> Read | None:
        """Give what is read; ``None`` where that is ``Invalid``, which is noted."""
        try:
            return read(*args, **kwargs)
        except Invalid as error:
            self._told += error.fields["errors"]
            return None

    def refuse(self) -> None:
        """Raise ``Invalid`` with all that was noted, if anything was."""
        if self._told:
            raise Invalid.several(self._told)


class TooManyTokens(TollkeeperError):
    """More tokens than the plan allows for one request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "too-many-tokens"
    title = "More tokens than the plan allows for one request"


class LimitReached(TollkeeperError):
    """The plan is used up for now; ``limit``, ``used``, ``allowed``, ``remaining`` and ``resetsAt`` say how."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "limit-reached"
    title = "A limit of the plan is reached"


class TooManyAttempts(TollkeeperError):
    """Asked or tried more often than is let through; ``Retry-After`` says when it is again."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "too-many-attempts"
    title = "Too many attempts"

    def __init__(self, detail: str, *, retry_after_seconds: int, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.retry_after_seconds = retry_after_seconds


class RebuiltJustNow(TollkeeperError):
    """A user's numbers are rebuilt at most once in ten seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "rebuilt-just-now"
    title = "Rebuilt just now"


class TooManyStreams(TollkeeperError):
    """One user follows their dashboard in more places at once than is allowed."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "too-many-streams"
    title = "Too many streams of this user"


class Unavailable(TollkeeperError):
    """The database is away or too much is waiting: nothing is known to have happened, try again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "unavailable"
    title = "Not available right now"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.retry_after_seconds = retry_after_seconds


class Crowded(Unavailable):
    """Callers want more at once than is done at once. Of that the answer tells: a line each would fill the log."""


class NoRoom(Unavailable):
    """The disk of the database is nearly full: it is read, what was begun is finished, and nothing new is taken in."""

    slug = "no-room"
    title = "No room on the disk of the database"


class Misconfigured(TollkeeperError):
    """The operator's settings, database or files are not fit to start with; ``detail`` names what to change."""

    slug = "misconfigured"
    title = "Not fit to start"
