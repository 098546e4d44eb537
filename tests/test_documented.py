"""Everything public is documented: a docstring everywhere, and at the top level parameters, results and an example."""

from pathlib import Path

import pytest

import ppaint_stats as ps

griffe = pytest.importorskip("griffe", reason="griffe, which reads docstrings, comes with the extra docs")

ROOT = Path(__file__).parents[1]

INHERITED = {"StudyPlan"}
"""Results whose fields are those of the class that they extend."""


@pytest.fixture(scope="module")
def packages():
    return {name: griffe.load(name, search_paths=[ROOT]) for name in ("ppaint_stats", "ppaint_distill")}


def walk(thing):
    """Public modules, classes, functions and methods below a package."""
    for name, member in thing.members.items():
        if name.startswith("_") or member.is_alias or member.is_attribute or member.is_type_alias:
            continue
        yield member
        if member.is_module or member.is_class:
            yield from walk(member)


@pytest.mark.parametrize("name", ["ppaint_stats", "ppaint_distill"])
def test_everything_public_has_a_docstring(packages, name):
    found = list(walk(packages[name]))
    assert len(found) > 300
    assert [member.path for member in found if not member.docstring] == []


def find(packages, name):
    place = packages["ppaint_stats"][ps._HOME[name]].members[name]
    return place.final_target if place.is_alias else place


def list_sections(thing):
    return {section.kind.value: section.value for section in thing.docstring.parse("numpy")}


def list_undocumented(thing):
    sections = list_sections(thing)
    named = {
        name.strip().lstrip("*")
        for kind in ("parameters", "other parameters", "attributes")
        for entry in sections.get(kind, [])
        for name in entry.name.split(",")
    }
    return sorted({parameter.name for parameter in thing.parameters} - named - {"self", "cls"})


@pytest.mark.parametrize("name", sorted(ps._HOME))
def test_top_level_names_are_documented_whole(packages, name):
    thing = find(packages, name)
    if name not in INHERITED:
        assert list_undocumented(thing) == []
        assert "examples" in list_sections(thing)
    if thing.is_function:
        assert "returns" in list_sections(thing)
    for method in thing.members.values():
        if thing.is_class and method.is_function and not method.name.startswith("_"):
            assert list_undocumented(method) == [], method.path
            assert "returns" in list_sections(method) or "property" in method.labels, method.path
