"""The source keeps to the house rules that neither ruff nor import-linter knows."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import schema

ROOT = Path(__file__).parents[2]
PACKAGES = ("server", "schema", "resolvers", "models")
TENANT = "partner_id"
FILTERS = {"in_", "not_in", "is_", "is_not", "any_", "between"}

MAY_FILTER_TENANTS = {
    "resolvers/readable.py": "the one place that says which rows a viewer may know of",
    "resolvers/operation/": "writes one partner's grants, after the viewer was found to act for that partner",
    "resolvers/expiry/": "ends access and reminds of it as the service itself, or writes into the partner that the viewer acts for",
    "resolvers/timeline_chain/proof.py": "narrows what is readable to the partner that the caller names",
    "resolvers/schedule/planner.py:planners": "tells the partner whose plan it is, as the service itself",
    "resolvers/timeline_chain/service_block.py": "finds the service's own blocks in which the partner that the caller names has rows",
    "resolvers/timeline_chain/window.py": "narrows operations that are read already to those entries that are of the same partner",
    "resolvers/schedule/planner.py": "the service itself looks up who hears of a plan of a partner that could not be carried out",
    "resolvers/matrix/": "narrows what is readable to the partner that the caller names",
    "resolvers/demo/": "makes its own partners and has no viewer",
    "resolvers/activity/directory.py": "looks up what an event names in the partner that the viewer acts for, or that the operator names",
    "resolvers/activity/write.py:source_of": "writes into the partner that the viewer acts for, or that the operator names",
    "resolvers/client_import.py": "writes into the partner that the viewer acts for",
    "resolvers/member_import.py": "writes into the partner that the viewer acts for",
    "resolvers/asset_import.py": "writes into the partner that the operator names",
    "resolvers/super_admin_import.py": "writes what the operator says at the command line, where there is no viewer",
    "resolvers/admission.py:_named_clients": "writes what the operator says at the command line, where there is no viewer",
    "resolvers/locked_member.py:_lock_with_clients": "locks the clients of the partner whose member was found to be readable",
    "resolvers/acting_partner.py:acting_place": "finds out whether the viewer still acts for the partner, from whom tenancy follows",
    "resolvers/client.py:client_by_hub_id": "narrows what is readable to the partner that the caller names",
    "resolvers/member.py:member_by_email": "narrows what is readable to the partner that the caller names",
    "resolvers/timeline.py:new_entries": "narrows what is readable to the partner that the caller names",
    "resolvers/timeline_feed.py:_operations": "finds in which operations there may be news; their entries are read from what is readable",
    "resolvers/elevated_access/report.py:_of_partners": "narrows what is readable to the partners of the parents",
    "resolvers/export/elevated_access.py:_clients": "narrows what is readable to the partner that the caller names",
    "resolvers/revenue/managed_mrr.py:revenue_lead_total_by_partner": "narrows what is readable to the partners of the parents",
    "resolvers/permission_set.py:permission_sets_by_client": "narrows what is readable to the partners of the parents",
    "resolvers/consistency/": "checks the whole database, at the command line",
    "resolvers/pod/edit.py:_known_set": "narrows what is readable to the partner whose pod it is",
    "resolvers/pod/group.py:known_groups": "narrows what is readable to the partner whose pod it is",
    "resolvers/lockdown/record.py": "narrows what is readable to the partners of the parents",
    "resolvers/lockdown/edit.py:lock_partner_to_sets": "writes into the partner that the viewer acts for",
}

MAY_GO_PAST_THE_WALL = {
    "resolvers/reader.py:everything": "what the others here read with",
    "resolvers/approval.py:approve_access_link": "the client answers a partner of whom it knows the token; who may, is judged first",
    "resolvers/approval.py:decline_access_link": "the client answers a partner of whom it knows the token; who may, is judged first",
    "resolvers/confirmation.py:answer_confirmation": "the client answers a partner of whom it knows the token; who may, is judged first",
    "resolvers/client_authority.py:decide_as_client": "the client decides about a partner's rows in its account; who may, is judged first",
    "resolvers/client_set/edit.py": "the client edits its own sets, and their grants of all partners follow; who may, is judged first",
    "resolvers/lockdown/edit.py:lock_account_to_sets": "the client locks its account, whose relationships are all locked; who may, is judged first",
    "resolvers/invitation.py:invitation_by_token": "whoever has the token may look at what it opens, and at who asks",
    "resolvers/invitation.py:pending_invitations": "who asks is of no tenant of the viewer's; only the viewer's accounts are looked at",
    "resolvers/invitation.py:answered_invitation": "shows the link that the viewer has just answered",
    "resolvers/leaver_report.py:": "counts an account's super admins, whoever's they are (F42), around people found behind the wall",
    "resolvers/removal_review.py:_reviews": "counts an account's super admins, whoever's they are (F42), around grants found behind the wall",
    "resolvers/operation/guard.py:guard_super_admins": "counts an account's super admins, whoever's they are (F42)",
    "resolvers/operation/plan.py:make_plan": "a migration asks who is one of an account's own people (M8), of targets found behind the wall",
    "resolvers/hand_off/ground.py:_super_admins": "counts an account's super admins, whoever's they are (F42), around outcomes found behind the wall",
    "resolvers/timeline_chain/service_block.py:check_service_blocks": "a block of the service's own is sealed as a whole; nothing is told of rows of others",
    "resolvers/client_import.py:": "official data of an account stand in the search texts of all its partners' clients (F22)",
    "resolvers/timeline_feed.py:": "how far all transactions have come, whoever's they are; the entries are read behind the wall",
    "resolvers/consistency/": "checks the whole database, at the command line",
}
"""Who opens, for somebody who asked, a transaction that PostgreSQL's row-level security lets see all tenants (models/tenancy.py)."""


def _modules(*packages: str) -> Iterator[tuple[str, str]]:
    """Yields path and text of the modules, without migrations, which are a record of what was."""
    for package in packages:
        for file in sorted((ROOT / package).rglob("*.py")):
            path = file.relative_to(ROOT).as_posix()
            if not path.startswith("models/migrations/versions/"):
                yield path, file.read_text(encoding="utf-8")


def _commits(source: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]


def _past_the_wall(source: str) -> list[str]:
    """Returns the functions, the innermost each, in which somebody sees all tenants' rows."""
    return [
        getattr(function, "name", "")
        for function, node in _within_functions(ast.parse(source))
        if isinstance(node, ast.Call)
        and "everything" in {getattr(node.func, "attr", None), getattr(node.func, "id", None)}
    ]


def _within_functions(node: ast.AST, function: ast.AST | None = None) -> Iterator[tuple[ast.AST | None, ast.AST]]:
    for inner in ast.iter_child_nodes(node):
        yield function, inner
        is_function = isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _within_functions(inner, inner if is_function else function)


def _tenant_filters(source: str) -> list[str]:
    """Returns the functions, or lines outside of one, that compare a column ``partner_id`` with anything but a column."""
    tree = ast.parse(source)
    functions = {
        inner: node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    columns = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute) and node.value.attr == "c"
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def is_column(node: ast.expr) -> bool:
        if not isinstance(node, ast.Attribute):
            return False
        owner = node.value
        return (isinstance(owner, ast.Attribute) and owner.attr == "c") or (
            isinstance(owner, ast.Name) and owner.id in columns
        )

    def is_tenant(node: ast.expr) -> bool:
        return is_column(node) and isinstance(node, ast.Attribute) and node.attr == TENANT

    def is_filter(node: ast.AST) -> bool:
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            return any(map(is_tenant, sides)) and not all(map(is_column, sides))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            keyword = any(word.arg == TENANT for word in node.keywords) and node.func.attr == "filter_by"
            return keyword or (node.func.attr in FILTERS and is_tenant(node.func.value))
        return False

    return [functions.get(node, str(getattr(node, "lineno", 0))) for node in ast.walk(tree) if is_filter(node)]


def _project_files() -> list[Path]:
    """Returns what belongs to the project: what git tracks, and what it would take in."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    if listed.returncode:
        pytest.skip("no git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_only_the_database_commits() -> None:
    found = {
        f"{path}:{line}"
        for path, source in _modules(*PACKAGES)
        if path not in {"models/database.py", "models/sqlite.py"}
        for line in _commits(source)
    }
    assert not found, "write through Database.write(), which commits at its end"


def test_only_readable_says_which_tenants_rows_a_viewer_may_know_of() -> None:
    found = {f"{path}:{place}" for path, source in _modules("resolvers") for place in _tenant_filters(source)}
    assert not {place for place in found if not place.startswith(tuple(MAY_FILTER_TENANTS))}, (
        "start from readable_<noun>(viewer) in resolvers/readable.py"
    )


def test_only_what_is_listed_goes_past_the_wall() -> None:
    packages = ("resolvers", "schema", "server")
    found = {f"{path}:{place}" for path, source in _modules(*packages) for place in _past_the_wall(source)}
    assert not {place for place in found if not place.startswith(tuple(MAY_GO_PAST_THE_WALL))}, (
        "read with the reader, and write to the database, that the context gives"
    )
    assert not {place for place in MAY_GO_PAST_THE_WALL if not any(known.startswith(place) for known in found)}


def test_the_search_for_what_goes_past_the_wall_finds_it() -> None:
    source = "async def f(database):\n    async with database.everything().write():\n        def g(c):\n            everything(c)\n"
    assert _past_the_wall(source) == ["f", "g"]
    assert _past_the_wall("def everything(self):\n    return catalogue.everything\n") == []


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("select(clients).where(clients.c.partner_id == partner.id)", ["1"]),
        ("async def client():\n    return clients.c.partner_id.in_(ids)", ["client"]),
        ("columns = clients.c\ncolumns.partner_id != 3", ["2"]),
        ("query.filter_by(partner_id=3)", ["1"]),
        ("clients.c.partner_id == grants.c.partner_id", []),
        ("place.partner_id == partner_id", []),
        ("insert(clients).values(partner_id=3)", []),
    ],
)
def test_the_search_for_tenant_filters_finds_them(source: str, places: list[str]) -> None:
    assert _tenant_filters(source) == places


def test_the_search_for_commits_finds_them() -> None:
    assert _commits("async def write():\n    await session.commit()") == [2]


def test_modules_are_small() -> None:
    """The median under 100 lines, none over 400."""
    lines = {path: source.count("\n") for path, source in _modules(*PACKAGES)}
    assert {path: count for path, count in lines.items() if count > 400} == {}
    assert statistics.median(lines.values()) < 100


def test_modules_are_nouns_and_no_drawers() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
    assert not {path for path, _ in _modules(*PACKAGES) if drawers & set(Path(path).with_suffix("").parts)}


def test_the_package_schema_is_ours() -> None:
    """A package on the index has the same name."""
    assert schema.__file__ is not None
    assert Path(schema.__file__).resolve() == ROOT / "schema" / "__init__.py"


def test_every_test_folder_is_a_package() -> None:
    folders = {file.parent for file in (ROOT / "tests").rglob("*.py")}
    assert not {folder for folder in folders if not (folder / "__init__.py").exists()}


def test_no_file_names_a_package_index_or_a_path_of_some_machine() -> None:
    hosts = [f"{host}.org" for host in ("pypi", "pythonhosted", "npmjs")]
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, check=False, text=True)
    named = set(re.findall(r"https?://(?:[^@/'\s]*@)?([^/:'\s]+)", asked.stdout))
    hosts += named - {"localhost", "127.0.0.1"}
    homes = r"(?<![\w.])/(?:root|(?:home|Users)/[a-z]\w*)/(?!\))"
    places = [re.escape(f"{ROOT}/"), homes]
    wrong = re.compile("|".join([*map(re.escape, hosts), *places]).encode())
    found = {
        f"{file.relative_to(ROOT)}: {match.group().decode()}"
        for file in _project_files()
        if (match := wrong.search(file.read_bytes()))
    }
    assert not found
