"""What must hold after each step, whatever was asked: read from the rows by a few statements, and never from the code under test.

(a) no account that had an ACTIVE super admin has none; (b) nobody gives or takes beyond the rule, recomputed from the timeline;
(c) the timeline, replayed, is what there is; (d) nobody sees another partner's rows (``tests.histories.look``); (e) counts are true.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from models.asset import AssetKind
from models.grant import AccessType, GrantStatus, Seat
from models.member import ManagerRights, MemberKind, MemberStatus
from models.operation import OperationKind
from tests.histories.model import (
    ADMIN_SET,
    BILLING,
    DELEGABLE,
    SETS,
    Atoms,
    Cell,
    Held,
    Holding,
    Person,
    closed,
    largest_closed,
)
from tests.histories.rows import (
    CLIENT_COLUMNS,
    ENTRY_COLUMNS,
    GRANT_COLUMNS,
    MEMBER_COLUMNS,
    Did,
    Replayed,
    Rows,
    demand,
    difference,
    listed,
    team_list,
    unexpired,
)
from tests.histories.stage import Row, Stage, moment_of
from tests.histories.world import World


@dataclass
class Watch:
    """Looks at one history's rows."""

    stage: Stage
    world: World
    replayed: dict[int, Replayed] = field(default_factory=dict)
    entries: list[Row] = field(default_factory=list)
    operation_id: int = 0

    def __post_init__(self) -> None:
        self._partners = listed(self.world.partners.values())
        self._accounts = listed(self.world.accounts.values())
        self._partner_names = {key: name for name, key in self.world.partners.items()}
        self._account_names = {key: name for name, key in self.world.accounts.items()}
        self._user_names = {key: name for name, key in self.world.users.items()}
        self._team_names = {key: name for name, key in self.world.teams.items()}
        self.rows = self.read()
        self._entries_after(0)
        ((self.operation_id,),) = self.stage.rows("SELECT max(id) FROM operation")

    def read(self) -> Rows:
        """Reads everything but what only grows."""
        rows = self.stage.rows
        found_members = rows(f"SELECT {MEMBER_COLUMNS} FROM member WHERE partner_id IN {self._partners}")
        found_clients = rows(f"SELECT {CLIENT_COLUMNS} FROM client WHERE partner_id IN {self._partners}")
        members = {f"{self._user_names[row[2]]}@{self._partner_names[row[1]]}": row for row in found_members}
        clients = {f"{self._partner_names[row[1]]}/{self._account_names[row[2]]}": row for row in found_clients}
        self.world.members = {name: row[0] for name, row in members.items()}
        self.world.clients = {name: row[0] for name, row in clients.items()}
        self.member_names = {key: name for name, key in self.world.members.items()}
        self.client_names = {key: name for name, key in self.world.clients.items()}
        teams: dict[int, list[tuple[int, bool]]] = {}
        for grant_id, team_id, primary in rows(
            f"SELECT t.grant_id, t.team_id, t.is_primary FROM grant_team t JOIN team ON team.id = t.team_id "
            f"WHERE team.account_id IN {self._accounts}"
        ):
            teams.setdefault(grant_id, []).append((team_id, bool(primary)))
        places = listed(self.world.clients.values())
        return Rows(
            members,
            clients,
            rows(f'SELECT {GRANT_COLUMNS} FROM "grant" WHERE account_id IN {self._accounts} ORDER BY id'),
            teams,
            rows(f"SELECT client_id, member_id, kind, total, version FROM asset_holding WHERE client_id IN {places}"),
            rows(
                f"SELECT client_id, kind, external_id, owner_id, former_owner_id FROM asset WHERE client_id IN {places}"
            ),
        )

    def step(self, before: dict[str, bool], done: Sequence[Did]) -> None:
        """Checks everything after a step that is to have made these operations.

        Args:
            before: which accounts had an ACTIVE super admin when the step began.
            done: the operations.
        """
        self.rows = self.read()
        for account, had_one in before.items():
            demand(not had_one or self.has_super_admin(account), f"(a) {account} has no super admin any more")
        self._operations(done)
        self._replay()
        self._counters()
        self._like_the_model()

    def super_admins(self) -> dict[str, bool]:
        return {account: self.has_super_admin(account) for account in self.world.accounts}

    def has_super_admin(self, account: str) -> bool:
        at, key = self.stage.now, self.world.accounts[account]
        return any(
            row[12] == key and row[3] == "ACTIVE" and row[5] == "SUPER_ADMIN" and unexpired(row[10], at)
            for row in self.rows.grants
        )

    # ---- what was done

    def _operations(self, done: Sequence[Did]) -> None:
        """(e), (b): the operations are those that are to be, each outcome as predicted, within the rule."""
        rows = self.stage.rows
        found = rows(
            "SELECT id, partner_id, kind, state, requested_by_id, total, applied, noop, rejected, failed FROM operation "
            f"WHERE id > {self.operation_id} ORDER BY id"
        )
        demand(len(found) == len(done), f"(e) {len(found)} operations instead of {len(done)}")
        for row, did in zip(found, done, strict=True):
            told = (self._partner_names[row[1]], row[2], row[3], self._user_names[row[4]])
            demand(told == (did.partner, did.kind, "COMPLETED", did.user), f"(b) {told} instead of {did}")
            outcomes = rows(
                "SELECT o.client_id, o.member_id, o.status, d.code, d.status FROM outcome o LEFT JOIN decision d "
                f"ON d.operation_id = o.operation_id AND d.number = o.decision WHERE o.operation_id = {row[0]} "
                "ORDER BY o.position"
            )
            counts = Counter(outcome[2] for outcome in outcomes)
            told_counts = [len(outcomes), *(counts[name] for name in ("APPLIED", "NOOP", "REJECTED", "FAILED"))]
            demand([*row[5:]] == told_counts, f"(e) operation counts {row[5:]}, outcomes {told_counts}")
            became = [(self._cell(x[0], x[1]), (x[2], x[3])) for x in outcomes]
            expected = [(line.cell, line.verdict) for line in did.lines]
            demand(became == expected, f"(b) outcomes {became}\ninstead of {expected}")
            demand(all(x[2] == x[4] for x in outcomes), f"(e) outcomes have another status than decisions: {outcomes}")
            new = self._entries_after(self.entries[-1][0] if self.entries else 0, operation_id=row[0])
            for entry in new:
                self._within_the_rule(entry, did)
            demand(len(new) == counts["APPLIED"], f"(c) {len(new)} entries for {counts['APPLIED']} changes")
        if found:
            self.operation_id = found[-1][0]

    def _cell(self, client_id: int, member_id: int) -> Cell:
        return self.client_names[client_id], self.member_names[member_id]

    def _within_the_rule(self, entry: Row, did: Did) -> None:
        """(b): what an entry gives and takes, by the actor's access as the timeline told it before the operation."""
        before = self.stage.atoms(entry[9]) if entry[9] and entry[6] else frozenset()
        after = self.stage.atoms(entry[16])
        cell = self._cell(entry[2], entry[3])
        ceiling_id = self.rows.clients[cell[0]][3]
        ceiling = None if ceiling_id is None else self.stage.atoms(ceiling_id)
        given, taken, told = after - before, before - after, f"(b) {did.kind} by {did.user} at {cell} "
        demand(after == closed(after), told + "leaves what is not closed")
        full = SETS[ADMIN_SET]
        if did.by_client:
            limit = full if ceiling is None else largest_closed(full & ceiling)
            if did.kind is OperationKind.GRANT:
                # What only a super admin has does not come back with one who was deactivated (R11).
                demand(given <= limit and (not taken or entry[7] == "SUPER_ADMIN"), told + "is no approval")
            elif did.kind is OperationKind.CHANGE:
                demand(ceiling is not None and after <= ceiling and not given, told + "is beyond the ceiling")
            else:
                demand(after == before, told + "changes permissions")
            return
        power = self._authority_then(did, cell[0], ceiling, entry[1])
        if did.kind is OperationKind.MIGRATE:
            demand(after in {full, closed(full | BILLING)}, told + "is not the exact set")
        elif did.kind is OperationKind.REACTIVATE:
            demand(after == before and after <= power, told + "brings back more than the actor has")
        elif did.kind in {OperationKind.DEACTIVATE, OperationKind.REMOVE}:
            demand(after == before, told + "changes permissions")
        else:
            demand(given <= power, told + f"gives {sorted(given - power)} beyond the actor")
            demand(taken <= power, told + f"takes {sorted(taken - power)} beyond the actor")

    def _authority_then(self, did: Did, client: str, ceiling: Atoms | None, operation_id: int) -> Atoms:
        """G before an operation, by the timeline alone."""
        actor, at = f"{did.user}@{did.partner}", self.stage.now
        told: dict[int, Replayed] = {}
        for entry in self.entries:
            if entry[1] != operation_id:
                self._apply(told, entry)
        for grant in told.values():
            if (grant.client, grant.member, grant.status) == (client, actor, GrantStatus.ACTIVE):
                is_admin = grant.kind is AccessType.PARTNER_ADMIN and (grant.expires is None or grant.expires > at)
                held = self.stage.atoms(grant.state) if is_admin else frozenset()
                return largest_closed((held if ceiling is None else held & ceiling) & DELEGABLE)
        return frozenset()

    # ---- the timeline

    def _entries_after(self, key: int, *, operation_id: int | None = None) -> list[Row]:
        """Reads new entries, in the order of their keys."""
        only = "" if operation_id is None else f" AND operation_id = {operation_id}"
        new = self.stage.rows(
            f"SELECT {ENTRY_COLUMNS} FROM timeline_entry WHERE account_id IN {self._accounts} AND client_id IS NOT NULL "
            f"AND id > {key}{only} ORDER BY id"
        )
        for entry in new:
            self._apply(self.replayed, entry)
        self.entries += new
        return new

    def _apply(self, replayed: dict[int, Replayed], entry: Row) -> None:
        teams = (replayed[entry[4]].teams if entry[4] in replayed else "") if not entry[12] else entry[12]
        if entry[12] or entry[19]:
            teams = entry[19] or ""
        present = replayed.get(entry[4])
        replayed[entry[4]] = Replayed(
            *self._cell(entry[2], entry[3]),
            GrantStatus(entry[13]),
            AccessType(entry[14]),
            Seat(entry[15]),
            entry[16],
            entry[17],
            moment_of(entry[18]),
            " ".join(sorted(teams.split())),
            1 if present is None else present.entries + 1,
        )
        if present is None:
            demand(entry[6] is None, f"(c) the first entry of a grant has something before it: {entry}")
        elif entry[8] is not None:
            was = (present.status, present.kind, present.seat, present.state, present.origin, present.expires)
            said = (*entry[6:11], moment_of(entry[11]))
            demand(was == said, f"(c) an entry says {said} was before, and not {was}")

    def _replay(self) -> None:
        """(c): the timeline, replayed, yields every grant, the removed ones too."""
        present = {
            row[0]: Replayed(
                *self._cell(row[1], row[2]),
                GrantStatus(row[3]),
                AccessType(row[5]),
                Seat(row[6]),
                row[7],
                row[8],
                moment_of(row[10]),
                team_list(self.rows.teams.get(row[0], [])),
                row[11],
            )
            for row in self.rows.grants
            if row[1] is not None
        }
        demand(present == self.replayed, f"(c) replayed {difference(self.replayed, present)}")

    def final(self) -> None:
        """(c): at the end the whole timeline is read once more: it only grew, and nothing of it changed."""
        known, self.entries, self.replayed = self.entries, [], {}
        self._entries_after(0)
        demand(known == self.entries, "(c) entries of the timeline have changed")
        self._replay()

    # ---- counters

    def _counters(self) -> None:
        """(e): counters of clients and members, and holdings, are what a recount says."""
        living = [row for row in self.rows.grants if row[1] is not None and row[4] == 0]
        people = Counter((row[1], row[3]) for row in living)
        admins = Counter(row[1] for row in living if row[3] == "ACTIVE" and row[5] == "PARTNER_ADMIN")
        for name, row in self.rows.clients.items():
            counted = (people[row[0], "ACTIVE"], people[row[0], "DEACTIVATED"], admins[row[0]])
            demand(tuple(row[5:]) == counted, f"(e) {name} counts {row[5:]} instead of {counted}")
        active = Counter(row[2] for row in living if row[3] == "ACTIVE")
        for name, row in self.rows.members.items():
            demand(row[8] == active[row[0]], f"(e) {name} counts {row[8]} clients instead of {active[row[0]]}")
        owned = Counter((row[0], row[3], row[1]) for row in self.rows.assets if row[3] is not None)
        kept = {tuple(row[:3]): row[3] for row in self.rows.holdings}
        for key in {*owned, *kept}:
            demand(kept.get(key, 0) == owned[key], f"(e) holding {key} says {kept.get(key)} instead of {owned[key]}")

    # ---- the model

    def _like_the_model(self) -> None:
        """(b): everything is as the rules say."""
        model, rows = self.world.model, self.rows
        people = {
            name: Person(
                self._partner_names[row[1]],
                self._user_names[row[2]],
                MemberKind(row[3]),
                MemberStatus(row[4]),
                bool(row[5]),
                ManagerRights(row[6]),
                bool(row[7]),
            )
            for name, row in rows.members.items()
        }
        demand(people == model.people, f"(b) people: {difference(people, model.people)}")
        ceilings = {
            name: (None if row[3] is None else self.stage.atoms(row[3]), row[4] is not None)
            for name, row in rows.clients.items()
        }
        expected = {name: (place.ceiling, place.confirmed) for name, place in model.clients.items()}
        demand(ceilings == expected, f"(b) ceilings: {difference(ceilings, expected)}")
        held = {
            self._cell(row[1], row[2]): self._held(row) for row in rows.grants if row[1] is not None and row[4] == 0
        }
        meant = {cell: replace(grant, birth=0) for cell, grant in model.held.items()}
        demand(held == meant, f"(b) access: {difference(held, meant)}")
        assets = {
            (self.client_names[row[0]], AssetKind(row[1]), row[2]): (
                self.member_names.get(row[3]),
                self.member_names.get(row[4]),
            )
            for row in rows.assets
        }
        demand(assets == model.assets, f"(b) assets: {difference(assets, model.assets)}")
        kept = {
            (self.client_names[row[0]], self.member_names[row[1]], AssetKind(row[2])): Holding(row[3], row[4])
            for row in rows.holdings
        }
        demand(kept == model.holdings, f"(b) holdings: {difference(kept, model.holdings)}")

    def _held(self, row: Row) -> Held:
        return Held(
            self.stage.atoms(row[7]),
            AccessType(row[5]),
            Seat(row[6]),
            GrantStatus(row[3]),
            row[11],
            self.stage.sets.get(row[8]),
            bool(row[9]),
            moment_of(row[10]),
            frozenset((self._team_names[key], primary) for key, primary in self.rows.teams.get(row[0], [])),
        )
