"""The steps of a history around access: time, reading, people, assets."""

from typing import Any

from hypothesis import strategies as st

from models.asset import AssetKind
from models.member import ManagerRights, MemberKind, MemberStatus
from schema.node import encode
from tests.histories.history import (
    ACTORS,
    ONE,
    RARELY,
    SELDOM,
    History,
    verb,
)
from tests.histories.look import look
from tests.histories.model import Holding, Person

KINDS = st.sampled_from([AssetKind.CONTACT, AssetKind.DEAL])


class Around(History):
    """Waiting, looking, changing people, recording assets."""

    @verb(weight=3, days=st.sampled_from([0, 1, 8, 35]))
    def wait(self, *, days: int) -> None:
        self.stage.clock.wait(days)
        self.before = {}
        self.check(f"{days} days pass", set(), None)

    @verb(weight=1, when=lambda self: self.since_look >= 10, user=ACTORS)
    def look(self, *, user: str) -> None:
        self.before, self.since_look = {}, 0
        look(self.watch, user)
        self.check(f"{user} looks", set(), None)

    @verb(
        weight=3,
        user=ACTORS,
        person=ONE,
        change=st.sampled_from(
            [
                {"kind": MemberKind.CONTRACTOR},
                {"kind": MemberKind.EMPLOYEE},
                {"rights": ManagerRights.EDIT},
                {"rights": ManagerRights.EDIT},
                {"rights": ManagerRights.VIEW},
                {"rights": ManagerRights.NONE},
                {"verified": True},
                {"verified": False},
                {"status": MemberStatus.DEACTIVATED},
                {"status": MemberStatus.ACTIVE},
                {"status": MemberStatus.ACTIVE},
            ]
        ),
        accept=st.booleans(),
        stranger=SELDOM,
    )
    def update_member(self, *, user: str, person: int, change: dict[str, Any], accept: bool, stranger: bool) -> None:
        """F09, N04, R14, R16."""
        (member,) = self.people(self.partner_of(user, stranger=stranger), [person])
        model, target = self.model, self.model.people[member]
        refusal = self._may_change(user, member, demotes="status" in change or "rights" in change)
        after = Person(**{**vars(target), **change})
        own = [cell for cell, held in model.held.items() if cell[1] == member and held.is_admin]
        orphans = [c for c in own if all(model.without_admin(c[0], self.stage.now, [c]))]
        deactivates = change.get("status") is MemberStatus.DEACTIVATED and target.works
        reasons = [
            (target.status is MemberStatus.LEFT, "CONFLICT"),
            (change.get("verified") is False and target.verified and own, "CONFLICT"),
            (target.acts and not after.acts and not self._other_editor(member), "LAST_EDITOR"),
            (deactivates and not accept and orphans, "WOULD_LOCK_OUT"),
        ]
        refusal = refusal or next((code for holds, code in reasons if holds), None)
        names = {"rights": "managerRights"}
        told = {names.get(key, key): getattr(value, "value", value) for key, value in change.items()}
        asked = {"member": self.ids("Member", [member])[0], "acceptLockout": accept, **told}
        _, codes = self.send(user, "updateMember", "member { id }", asked)
        if refusal is None:
            model.people[member] = after
        self.check(f"{user} makes {member} {told}, {accept=}", codes, refusal)

    @verb(weight=1, user=ACTORS, who=st.sampled_from(["eve", "eve", "dan", "cleo", "ben", "gail"]), stranger=RARELY)
    def add_member(self, *, user: str, who: str, stranger: bool) -> None:
        model, partner = self.model, self.partner_of(user, stranger=stranger)
        name = f"{who}@{partner}"
        known, place = model.people.get(name), model.place(user, partner)
        reasons = [
            (place is None or not place.works, "NOT_FOUND"),
            (place is not None and not place.acts, "FORBIDDEN"),
            (known is not None and known.status is not MemberStatus.LEFT, "CONFLICT"),
        ]
        refusal = next((code for holds, code in reasons if holds), None)
        asked = {
            "email": self.at.emails[who],
            "kind": "EMPLOYEE",
            "partner": encode("Partner", self.at.partners[partner]),
            "verified": True,
            "managerRights": "EDIT",
        }
        _, codes = self.send(user, "addMember", "member { id }", asked)
        if refusal is None:
            model.people[name] = Person(partner, who, rights=ManagerRights.EDIT)
        self.check(f"{user} adds {who} to {partner}", codes, refusal)

    @verb(weight=3, user=ACTORS, person=ONE, place=ONE, kind=KINDS, number=st.integers(1, 3), stranger=SELDOM)
    def record_asset(self, *, user: str, person: int, place: int, kind: AssetKind, number: int, stranger: bool) -> None:
        """F38: who owns what."""
        partner, model = self.partner_of(user), self.model
        (owner,) = self.people(self.partner_of(user, stranger=stranger), [person])
        (client,) = self.places(partner, [place])
        there = [cell for cell in model.held if model.clients[cell[0]].partner == partner]
        if person % 4 and there and not stranger:
            client, owner = there[person % len(there)]
        own = model.place(user, partner)
        refusal: str | set[str] | None = None
        if own is None or not own.works:
            refusal = "NOT_FOUND"
        elif not own.acts:
            refusal = "FORBIDDEN"
        elif model.people[owner].partner != partner:
            refusal = "NOT_FOUND"
        elif model.people[owner].status is MemberStatus.LEFT:
            refusal = "INVALID_INPUT"
        asset = {
            "client": self.ids("Client", [client])[0],
            "owner": self.ids("Member", [owner])[0],
            "kind": kind.value,
            "externalId": f"{number}",
            "name": f"Number {number}",
        }
        asked = {"assets": [asset], "partner": encode("Partner", self.at.partners[partner])}
        _, codes = self.send(user, "recordAssets", "counts { created updated unchanged }", asked)
        if refusal is None:
            self._own(client, owner, kind, f"{number}")
        self.check(f"{user} records that {owner} owns {kind} {number} of {client}", codes, refusal)

    def _own(self, client: str, owner: str, kind: AssetKind, number: str) -> None:
        model = self.model
        before, former = model.assets.get((client, kind, number), (None, None))
        if before == owner:
            return
        for who, more in ((before, -1), (owner, 1)):
            if who is not None:
                kept = model.holdings.setdefault((client, who, kind), Holding())
                kept.total, kept.version = kept.total + more, kept.version + 1
        model.assets[client, kind, number] = (owner, former)

    def _may_change(self, user: str, member: str, *, demotes: bool) -> str | None:
        """F02, T1: who may change a person at all."""
        model, target = self.model, self.model.people[member]
        if not model.knows(user, member):
            return "NOT_FOUND"
        actor = model.place(user, target.partner)
        if actor is None or not actor.acts or (target.super_admin and demotes and not actor.super_admin):
            return "FORBIDDEN"
        return None

    def _other_editor(self, member: str) -> bool:
        partner = self.model.people[member].partner
        return any(p.acts for name, p in self.model.people.items() if p.partner == partner and name != member)
