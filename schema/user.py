"""People who can sign in."""

import strawberry

from resolvers.user import UserRecord, users_by_id
from schema.field import column
from schema.node import Node
from schema.record import shows
from schema.scalar import EmailAddress


@shows(UserRecord, users_by_id)
@strawberry.type(description="A person who can sign in. One e-mail address is one user.")
class User(Node):
    """A person."""

    record: strawberry.Private[UserRecord]
    name: str = column(
        "First and last name as your own partner writes them, whatever others call the person; without one, the part of the "
        "address before the @. Of several partners of yours, the one where the person was a member first."
    )
    email: EmailAddress = column("The e-mail address, in lower case.")
