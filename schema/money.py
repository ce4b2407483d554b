"""Amounts of money."""

from decimal import Decimal

import strawberry


@strawberry.type(description="An exact amount in one currency.")
class Money:
    """An amount and its currency."""

    amount: Decimal = strawberry.field(description="How much.")
    currency: str = strawberry.field(description="The currency's three letters (ISO 4217).")


def money(amount: Decimal | None, currency: str | None) -> Money | None:
    """Returns the amount, None if it or its currency is not known."""
    return None if amount is None or currency is None else Money(amount=amount, currency=currency)
