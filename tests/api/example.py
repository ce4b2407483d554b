"""The examples of queries/, as the tests read them."""

import json
from typing import Any

from graphql import OperationDefinitionNode, OperationType, parse

from server.page import FOR_CLIENTS
from tests.api.caller import QUERIES, operation

NAMES = sorted(path.stem for path in QUERIES.glob("*.graphql"))


def definition(name: str) -> OperationDefinitionNode:
    """Returns the one operation of an example."""
    (only,) = parse(operation(name)).definitions
    assert isinstance(only, OperationDefinitionNode)
    return only


def variables(name: str) -> dict[str, Any]:
    """Returns the variables that stand beside an example."""
    beside = QUERIES / f"{name}.variables.json"
    found: dict[str, Any] = json.loads(beside.read_text()) if beside.exists() else {}
    return found


def is_for_the_client(name: str) -> bool:
    """Tells whether an example is for the people of an account, and not for an agency's."""
    return operation(name).startswith(f"# {FOR_CLIENTS}")


WRITES = [name for name in NAMES if definition(name).operation is OperationType.MUTATION]
STREAMS = [name for name in NAMES if definition(name).operation is OperationType.SUBSCRIPTION]
READS = [name for name in NAMES if name not in {*WRITES, *STREAMS}]
