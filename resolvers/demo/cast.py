"""The people of the demo's partners, and what part each of them has."""

from dataclasses import dataclass
from enum import StrEnum

from models.member import ManagerRights, MemberKind, MemberStatus
from resolvers.demo.name import company_domain, company_name, person_email, person_name


class Part(StrEnum):
    """What a person is for in the demo."""

    LEAD = "LEAD"
    """Partner admin who gives access to the others."""
    REDUCED = "REDUCED"
    """Partner admin who lacks Reports in every client."""
    SUPER = "SUPER"
    """Super admin in some clients, and partner admin in none."""
    WORKER = "WORKER"


@dataclass(frozen=True, slots=True)
class Person:
    """One member of a partner."""

    first_name: str
    last_name: str
    email: str
    part: Part = Part.WORKER
    kind: MemberKind = MemberKind.EMPLOYEE
    status: MemberStatus = MemberStatus.ACTIVE
    rights: ManagerRights = ManagerRights.NONE
    super_admin: bool = False
    verified: bool = True


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody worth signing in as."""

    email: str
    who: str


AGENCY_DOMAIN = "fox-agency.example"
STUDIO_DOMAIN = "owl-studio.example"
CONTRACTOR = Person("Carlos", "Cruz-Ámbar", "carlos@freelance.example", kind=MemberKind.CONTRACTOR)
"""Works for both agencies, and neither learns of the other (R9, T1)."""

_NAMED = (
    ("Olivia", "Oakes"),
    ("Pavel", "Pinewhistle"),
    ("Quinn", "Quillfeather"),
    ("Rafael", "Renner"),
    ("Sigrid", "Salm"),
    ("Vera", "Voss"),
    ("Nils", "Norden"),
    ("Uma", "Unger"),
    ("Dora", "Dahlström"),
)

DEMO_PEOPLE = (
    DemoPerson(f"olivia@{AGENCY_DOMAIN}", "owner of the agency, partner admin in many clients"),
    DemoPerson(f"rafael@{AGENCY_DOMAIN}", "partner admin who lacks Reports in all of his clients"),
    DemoPerson(f"sigrid@{AGENCY_DOMAIN}", "super admin in some clients, partner admin in none"),
    DemoPerson(f"vera@{AGENCY_DOMAIN}", "sees the manager and changes nothing (VIEW)"),
    DemoPerson(f"nils@{AGENCY_DOMAIN}", "employee to whom the manager is closed"),
    DemoPerson(CONTRACTOR.email, "contractor of two agencies"),
)
THE_OTHER_OWNER = DemoPerson(f"bella@{STUDIO_DOMAIN}", "owner of the second agency, which shares some accounts")
THE_CLIENT = DemoPerson(
    f"office@{company_domain(company_name(0))}", "the client's own side: super admin of account 1000001, in no agency"
)


def cast(partner: int, count: int, domain: str) -> list[Person]:
    """Returns the members of a partner, the same each time."""
    named = _NAMED if partner == 0 else (("Bella", "Brandt"),)
    leads = max(2, min(3, count // 4))
    contractors = round(count * 12 / 57)
    people = []
    for index in range(count):
        number = partner * 1_000_003 % 2_450 + index
        first, last = named[index] if index < len(named) else person_name(number)
        email = f"{first.lower()}@{domain}" if index < len(named) else person_email(index, first, last, domain)
        people.append(
            _person(Person(first, last, email), index - leads, index, contractor=index >= count - contractors)
        )
    people[-1] = CONTRACTOR
    return people


def _person(person: Person, after_leads: int, index: int, *, contractor: bool) -> Person:
    kind = MemberKind.CONTRACTOR if contractor else MemberKind.EMPLOYEE
    part, status, rights, verified = Part.WORKER, MemberStatus.ACTIVE, ManagerRights.NONE, True
    if after_leads < 0:
        part, rights = Part.LEAD, ManagerRights.EDIT
    elif after_leads < 2:
        part, rights = (Part.REDUCED, Part.SUPER)[after_leads], ManagerRights.EDIT
    elif after_leads == 2 or index % 11 == 10:
        rights = ManagerRights.VIEW
    elif after_leads == 4 or index % 29 == 28:
        verified = False
    elif after_leads == 5 or (index % 37 == 36 and not contractor):
        status = MemberStatus.DEACTIVATED
    return Person(
        person.first_name,
        person.last_name,
        person.email,
        part=part,
        kind=kind,
        status=status,
        rights=rights,
        super_admin=index == 0,
        verified=verified,
    )
