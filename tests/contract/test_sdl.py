"""The schema that is written down is the schema that is served (R29)."""

from pathlib import Path

from schema.schema import sdl

WRITTEN = Path(__file__).parents[2] / "schema" / "schema.graphql"


def test_the_written_schema_is_the_present_one() -> None:
    assert WRITTEN.read_text(encoding="utf-8").strip() == sdl().strip()
