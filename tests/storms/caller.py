"""Somebody who works in an agency during a storm: asks for one thing after the other over HTTP, and notes what was answered."""

import asyncio
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any

import httpx2

from models.operation import OperationKind
from schema.node import decode, encode
from tests.factory import ClientRow, MemberRow
from tests.histories.world import PICKED, levels_of
from tests.storms.journal import Journal, Request
from tests.storms.site import QUEUE_ABOVE

WANTED = ("contacts", "some deals", "reports")
"""Nothing that a partner admin cannot give."""
FIELDS = {
    OperationKind.GRANT: "grantAccess",
    OperationKind.CHANGE: "changeAccess",
    OperationKind.DEACTIVATE: "deactivateAccess",
    OperationKind.REACTIVATE: "reactivateAccess",
    OperationKind.REMOVE: "removeAccess",
}
OFTEN = {
    OperationKind.GRANT: 5,
    OperationKind.CHANGE: 3,
    OperationKind.DEACTIVATE: 2,
    OperationKind.REACTIVATE: 3,
    OperationKind.REMOVE: 3,
}
WITH_PERMISSIONS = {OperationKind.GRANT, OperationKind.CHANGE}
ANSWER = """userErrors { code } operation { id state outcomes(first: 100) { nodes {
  client { id } member { id } status code } } }"""
REVIEW = "query($id: ID!) { node(id: $id) { ... on Client { removalReview { token } } } }"
CANCEL = "mutation($input: CancelOperationInput!) { cancelOperation(input: $input) { userErrors { code } } }"
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.05


class UnansweredError(Exception):
    """The connection broke off, or the database is gone: nobody knows whether it was done."""


@dataclass(frozen=True)
class Agency:
    """Who and what requests of an agency are about."""

    people: list[MemberRow]
    actors: list[MemberRow]
    """Partner admins in all of the places."""
    places: list[ClientRow]


@dataclass
class Caller:
    """One of an agency's partner admins, with a token."""

    agency: Agency
    person: MemberRow
    token: str
    address: str
    journal: Journal
    random: Random
    waiting: list[Request] = field(default_factory=list)
    """What this person has asked for and is to be carried out later."""

    async def work(self, requests: int) -> None:
        """Asks for so many things."""
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as http:
            for number in range(requests):
                if self.waiting and self.random.random() < 0.3:
                    await self._cancel(http, self.waiting.pop(), f"{self.person.id}-{number}-cancel")
                    continue
                try:
                    await self._ask(http, f"{self.person.id}-{number}")
                except UnansweredError:
                    # Not asked again: nobody will ever know, but the rows.
                    continue

    async def _ask(self, http: httpx2.AsyncClient, tag: str) -> None:
        kind = self.random.choices(list(OFTEN), list(OFTEN.values()))[0]
        people, places = self._targets(kind)
        asked: dict[str, Any] = {
            "targets": {
                "product": {
                    "members": [encode("Member", row.id) for row in people],
                    "clients": [encode("Client", row.id) for row in places],
                }
            },
            "options": {"reason": tag},
        }
        wanted = None
        if kind in WITH_PERMISSIONS:
            wanted = PICKED[self.random.choice(WANTED)]
            asked["access"] = {
                "permissions": [{"permission": key, "level": level} for key, level in levels_of(wanted).items()]
            }
            if kind is OperationKind.GRANT:
                asked["onExisting"] = self.random.choice(["CHANGE", "SKIP"])
        if kind is OperationKind.REMOVE:
            told = await self._send(http, REVIEW, id=encode("Client", places[0].id))
            asked["reviewToken"] = told["node"]["removalReview"]["token"]
        cells = [(place.id, person.id) for place in places for person in people]
        request = Request(tag, self.person.user_id, kind, cells, wanted, monotonic())
        self.journal.requests[tag] = request
        name = FIELDS[kind]
        query = f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ {ANSWER} }} }}"
        told = await self._insist(http, query, tag, request, asked)
        self._note(request, told[name])

    def _targets(self, kind: OperationKind) -> tuple[list[MemberRow], list[ClientRow]]:
        """Mostly little; sometimes everybody everywhere; now and then another partner admin, who has no say meanwhile."""
        random, agency = self.random, self.agency
        if kind is OperationKind.REMOVE:
            return random.sample(agency.people, random.randint(1, 3)), [random.choice(agency.places)]
        if random.random() < 0.15:
            return agency.people, agency.places
        places = random.sample(agency.places, random.randint(1, 3))
        if kind not in WITH_PERMISSIONS and random.random() < 0.2:
            return [random.choice(agency.actors)], places
        return random.sample(agency.people, random.randint(1, 4)), places

    async def _insist(
        self, http: httpx2.AsyncClient, query: str, key: str, request: Request, asked: dict[str, Any]
    ) -> Any:
        """Asks until there is an answer, with the same key; or gives up at once when there is none.

        Raises:
            UnansweredError: if it gave up.
        """
        gives_up = self.random.random() < 0.3
        while True:
            request.sent += 1
            try:
                return await self._send(http, query, key, input=asked)
            except UnansweredError:
                if gives_up:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, http: httpx2.AsyncClient, query: str, key: str | None = None, **variables: Any) -> Any:
        """Returns the data of an answer.

        Raises:
            UnansweredError: if there is none.
        """
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/graphql-response+json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            body = {"query": query, "variables": variables}
            response = await http.post(self.address, json=body, headers=headers)
        except httpx2.TransportError as error:
            raise UnansweredError from error
        told = response.json()
        if "errors" in told:
            assert {error["extensions"]["code"] for error in told["errors"]} == {"DATABASE_UNAVAILABLE"}, told
            assert all("Try again in a few seconds" in error["message"] for error in told["errors"])
            self.journal.unavailable += 1
            raise UnansweredError
        return told["data"]

    def _note(self, request: Request, told: Any) -> None:
        request.refusals = [error["code"] for error in told["userErrors"]]
        operation = told["operation"]
        if operation is None:
            assert request.refusals
            return
        request.operation_id = _key(operation)
        if len(request.cells) > QUEUE_ABOVE:
            self.waiting.append(request)
            return
        assert operation["state"] == "COMPLETED"
        request.answered = monotonic()
        request.told = [
            ((_key(node["client"]), _key(node["member"])), (node["status"], node["code"]))
            for node in operation["outcomes"]["nodes"]
        ]

    async def _cancel(self, http: httpx2.AsyncClient, request: Request, key: str) -> None:
        asked = {"operation": encode("Operation", request.operation_id or 0)}
        request.cancel = "UNKNOWN"
        try:
            told = await self._send(http, CANCEL, key, input=asked)
        except UnansweredError:
            return
        codes = {error["code"] for error in told["cancelOperation"]["userErrors"]}
        # It was there when it was answered, so all that can stand against it is that it has ended.
        assert codes <= {"CONFLICT"}
        request.cancel = "" if codes else "CONFIRMED"


def _key(node: Any) -> int:
    found = decode(node["id"])
    assert found is not None
    return found[1]
