"""The name that a partner gives one of its people: its own, whatever others call them (T1)."""

from models.text import fold
from models.user import full_name


def member_name(first_name: str, last_name: str, email: str) -> dict[str, str]:
    """Returns the columns of a member that hold the name, and what the member is sorted and searched by (F22)."""
    name = fold(full_name(first_name, last_name, email))
    return {
        "first_name": first_name,
        "last_name": last_name,
        "sort_name": name,
        "search_text": f"{name}\n{fold(email)}",
    }
