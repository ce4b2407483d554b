"""The steps of a history that review access and end it, and those about people, assets and time."""

from typing import Any

from hypothesis import strategies as st

from models.operation import OperationKind
from tests.histories.around import Around
from tests.histories.history import (
    ACTORS,
    OFTEN,
    ONE,
    SOME,
    options,
    verb,
)
from tests.histories.model import Cell, Held, Line, hand_over, leave, settle
from tests.histories.rows import Did, demand


class Leaving(Around):
    """Reviewing, removing, leaving."""

    @verb(
        weight=3,
        user=ACTORS,
        people=SOME,
        aptly=OFTEN,
        place=ONE,
        fresh=st.integers(0, 3).map(bool),
        taker=st.one_of(st.none(), ONE, st.just("lead")),
        how=options(),
    )
    def remove(
        self,
        *,
        user: str,
        people: list[int],
        aptly: bool,
        place: int,
        fresh: bool,
        taker: int | str | None,
        how: dict[str, Any],
    ) -> None:
        """Removes people from a client after a review of it, or with a token from before."""
        user, (client, *_), members = self.aim_at(user, people, [place], self._owns, aptly=aptly)
        refusal = self.unknown(user, members, [client])
        token, stamps = self._review(user, "Client", client) if fresh else self._old_review()
        to = self.people(self.team_mates([client]), [taker])[0] if isinstance(taker, int) else None
        asked = {
            "targets": self.product(members, [client]),
            "reviewToken": token,
            "reassign": self._reassign(taker, to),
            "options": how,
        }
        if refusal is None and to in members:
            refusal = "INVALID_INPUT"
        judge = self.manager(user)

        def decide(cell: Cell) -> Line:
            reviewed = cell in self.model.held and self.model.stamp(cell) in stamps
            blocked = self._blocked(cell, taker, to)
            return judge.remove(cell, reviewed=reviewed, blocked=blocked, include_self=how["includeSelf"])

        told = (
            f"removes {members} from {client}, {'reviewed' if fresh else 'with an old token'}, assets to {to or taker}"
        )
        cells = [(client, member) for member in members]
        self.operate(
            told,
            user,
            "removeAccess",
            OperationKind.REMOVE,
            cells=cells,
            judge=decide,
            asked=asked,
            refusal=refusal,
            takers=lambda _client, _kind: to,
        )

    @verb(
        weight=1,
        user=ACTORS,
        person=ONE,
        fresh=st.integers(0, 3).map(bool),
        taker=st.one_of(st.none(), ONE),
        accept=st.booleans(),
    )
    def let_leave(self, *, user: str, person: int, fresh: bool, taker: int | None, accept: bool) -> None:
        """R8: all access ends, and the membership; or nothing does."""
        partner = self.partner_of(user)
        (member,) = self.people(partner, [person])
        token, stamps = self._review(user, "Member", member) if fresh else self._old_review()
        to = self.people(partner, [taker])[0] if taker is not None else None
        model, judge = self.model, self.manager(user)
        refusal = self._may_change(user, member, demotes=True)
        cells = sorted((c for c in model.held if c[1] == member), key=lambda c: self.at.clients[c[0]])
        if refusal is None and model.people[member].acts and not self._other_editor(member):
            refusal = "LAST_EDITOR"
        if refusal is None and cells and not token:
            refusal = "INVALID_INPUT"
        if refusal is None and to == member:
            refusal = "INVALID_INPUT"
        owned = [kept for kept, holding in model.holdings.items() if kept[1] == member and holding.total]
        remaining = [kept for kept in owned if kept[:2] not in model.held] if to is not None else []
        if refusal is None and not all(self._takes_over(client, to) for client, _, _ in remaining):
            refusal = "CONFLICT"
        asked = {
            "member": self.ids("Member", [member])[0],
            "reviewToken": token,
            "reassign": self._reassign(taker, to),
            "options": {"acceptLockout": accept},
        }
        payload, codes = self.send(user, "removeMember", self.outcomes, asked)
        lines: list[Line] = []
        if refusal is None:
            lines = [
                judge.remove(
                    cell,
                    reviewed=model.stamp(cell) in stamps,
                    blocked=self._blocked(cell, taker, to),
                    include_self=True,
                )
                for cell in cells
            ]
            lines = self.judged(lines, {"acceptLockout": accept, "atomic": True})
            if all(line.applied for line in lines):
                settle(model, lines, lambda _client, _kind: to)
                hand_over(model, remaining, to or "")
                leave(model, member)
            demand(bool(codes) == (not all(x.applied for x in lines)), f"(b) refused with {codes}: {lines}")
            codes = set()
            if lines:
                self.compare(payload["operation"], lines)
        done = [Did(user, partner, OperationKind.REMOVE, lines)] if lines else []
        self.check(f"{user} lets {member} leave, assets to {to}, {fresh=} {accept=}", codes, refusal, done)

    @verb(weight=1, user=ACTORS, place=ONE)
    def review(self, *, user: str, place: int) -> None:
        (client,) = self.places(self.partner_of(user), [place])
        self.before = {}
        self._review(user, "Client", client)
        self.check(f"{user} reviews {client}", set(), None)

    def _review(self, user: str, kind: str, name: str) -> tuple[str, frozenset[object]]:
        """Reads a review; whoever the manager is closed to gets none, also of themselves (F02)."""
        model, token = self.model, self.at.tokens[user]
        index = {"Client": 0, "Member": 1}[kind]
        query = f"query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ removalReview {{ token }} }} }} }}"
        (row_id,) = self.ids(kind, [name])
        partner = (model.clients if kind == "Client" else model.people)[name].partner
        if not model.sees(user, partner):
            if kind == "Member" and model.knows(user, name):
                demand(self.stage.codes(token, query, id=row_id) == {"FORBIDDEN"}, f"(d) {user} reviews {name}")
            else:
                demand(self.stage.ask(token, query, id=row_id)["node"] is None, f"(d) {user} sees {name}")
            return "", frozenset()
        review = self.stage.ask(token, query, id=row_id)["node"]["removalReview"]
        self.reviews.append((review["token"], frozenset(model.stamp(c) for c in model.held if c[index] == name)))
        return self.reviews[-1]

    def _old_review(self) -> tuple[str, frozenset[object]]:
        return self.reviews[0] if self.reviews else ("bm8gdG9rZW4", frozenset())

    def _reassign(self, taker: int | str | None, to: str | None) -> list[dict[str, Any]]:
        if taker is None:
            return []
        return [{"toLead": True} if to is None else {"to": self.ids("Member", [to])[0]}]

    def _owns(self, cell: Cell, _held: Held) -> bool:
        return any(kept.total for key, kept in self.model.holdings.items() if key[:2] == cell)

    def _blocked(self, cell: Cell, taker: int | str | None, to: str | None) -> bool:
        """F39: nobody takes assets over without being active in the client; these clients have no lead."""
        model = self.model
        if taker is None or cell not in model.held or not self._owns(cell, model.held[cell]):
            return False
        return not self._takes_over(cell[0], to)

    def _takes_over(self, client: str, to: str | None) -> bool:
        """Whether somebody can take over assets in a client."""
        held = self.model.held.get((client, to or ""))
        return to is not None and held is not None and held.counts(self.stage.now) and self.model.people[to].works
