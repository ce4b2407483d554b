"""The token of a planned matrix: a keyed stamp of each cell as it was planned, so that drift since then is found (P28).

Like the token of a review, it lists nothing that can be read and opens nothing: a cell whose stamp is not in it is other than planned.
"""

from collections.abc import Iterable

from resolvers.issuer import Issuer
from resolvers.matrix.entry import MOST_ROWS
from resolvers.operation.review_stamp import STAMP_LENGTH, stamps_of, token_of

_PURPOSE = "matrix plan"

LONGEST_TOKEN = STAMP_LENGTH * (MOST_ROWS + 2) * 4 // 3 + 4


def cell_stamp(issuer: Issuer, cell: tuple[int, int], present: tuple[int, int], set_version_id: int | None) -> bytes:
    """Returns what stands for a cell: another one if its grant changes, appears or vanishes, or another version is meant."""
    text = " ".join(map(str, (*cell, *present, set_version_id or 0)))
    return issuer.stamp(_PURPOSE, text)[:STAMP_LENGTH]


def plan_token(issuer: Issuer, stamps: Iterable[bytes]) -> str:
    """Returns the token of a plan with these stamps."""
    return token_of(issuer, stamps, _PURPOSE)


def planned(issuer: Issuer, token: str) -> frozenset[bytes]:
    """Returns the stamps in a token; none if it is no plan's, made here just so."""
    return stamps_of(issuer, token, _PURPOSE)
