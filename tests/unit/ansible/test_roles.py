"""The roles' variables: defaults, argument specs, READMEs and uses agree."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, nodes

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
# `name_result` is what a role exports.
EXPORT = re.compile(r"[a-z]+(_[a-z]+)?_result")


def load(path):
    return yaml.safe_load(path.read_text()) if path.exists() else None


def specified(role):
    """Every option of a role's argument specs; one that entry points share must be the same."""
    options = {}
    entries = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    for entry in entries.values():
        for name, option in entry.get("options", {}).items():
            assert options.setdefault(name, option) == option, name
    return options


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_argument_specs(role):
    defaults = load(ROOT / "roles" / role / "defaults/main.yml") or {}
    options = specified(role)

    assert sorted(defaults) == sorted(options)
    assert defaults == {name: option.get("default") for name, option in options.items()}


@pytest.mark.parametrize("role", ROLES)
def test_inputs_start_with_the_name_of_the_role(role):
    assert [name for name in specified(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_internal_variables_start_with_two_underscores_and_the_name_of_the_role(role):
    internal = load(ROOT / "roles" / role / "vars/main.yml") or {}

    assert [name for name in internal if not name.startswith(f"__{role}_")] == []


def entries(role):
    return load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_does_is_what_its_argument_specs_say(role):
    """Its tasks files are for everybody; what only the role itself includes is in a folder."""
    files = {path.stem for path in (ROOT / "roles" / role / "tasks").glob("*.yml")}

    assert files == set(entries(role))


def tasks_in(path):
    """The tasks of a file, and of those that it includes."""
    for task in blocks(load(path)):
        yield task
        if included := task.get("ansible.builtin.include_tasks"):
            folder = next(parent for parent in path.parents if parent.name == "tasks")
            for each in sorted(folder.glob(re.sub(r"\{\{.*?\}\}", "*", included))):
                yield from tasks_in(each)


def blocks(tasks):
    for task in tasks:
        for part in ("block", "rescue", "always"):
            yield from blocks(task.get(part, []))
        yield task


def documented(about):
    """Each export of an entry point and its keys, as the description says them."""
    items = about.get("description", [])
    said = [each for each in ([items] if isinstance(items, str) else items) if "Exports" in each]
    names = [re.findall(r"C\(([a-z_]+)\)", each) for each in said]
    return {name: set(keys) for name, *keys in names}


# What a program on the host prints, or a module returns; its keys are no YAML.
PRINTED = {"backup_result", "common_result", "parameters_result"}


@pytest.mark.parametrize(
    ("role", "entry"), [(role, entry) for role in ROLES for entry in entries(role)]
)
def test_what_an_entry_point_exports_is_what_it_says(role, entry):
    facts = {}
    for task in tasks_in(ROOT / "roles" / role / "tasks" / f"{entry}.yml"):
        for name, value in task.get("ansible.builtin.set_fact", {}).items():
            if EXPORT.fullmatch(name):
                keys = set(value) if isinstance(value, dict) else set()
                # One that is added to what was exported before.
                keys |= set(re.findall(r"combine\(\{'(\w+)':", str(value)))
                facts[name] = facts.get(name, set()) | keys
    said = documented(entries(role)[entry])

    assert set(facts) == set(said)
    assert {name: keys for name, keys in facts.items() if name not in PRINTED} == {
        name: keys for name, keys in said.items() if name not in PRINTED
    }
    assert all(said.values())


def test_playbooks_include_what_roles_have():
    missing = [
        (str(path.relative_to(ROOT)), each)
        for folder in ("playbooks", "molecule")
        for path in (ROOT / folder).rglob("*.yml")
        for play in load(path) or []
        if isinstance(play, dict)
        for task in [*blocks(play.get("tasks", [])), *blocks([play])]
        if (each := task.get("ansible.builtin.include_role"))
        and "{{" not in each["name"] + each["tasks_from"]
        and each["tasks_from"] not in entries(each["name"])
    ]

    assert missing == []


CONDITIONS = {"when", "until", "that", "changed_when", "failed_when", "var"}
TEMPLATES = Environment(autoescape=True)


def names_in(text):
    """The variables that a template reads."""
    tree = TEMPLATES.parse(text.replace("\\", ""))  # of a regular expression; names have none
    return {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def names(value, top=True):
    """Variables that parsed YAML reads or sets."""
    if isinstance(value, list):
        return set().union(*(names(each, top) for each in value))
    if isinstance(value, str):
        return names_in(value) if "{{" in value or "{%" in value else set()
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, inner in value.items():
        found |= names(inner, False)
        if key in CONDITIONS:
            for text in strings(inner):
                found |= names_in(text if "{{" in text else f"{{{{ {text} }}}}")
        if key == "vars" and isinstance(inner, dict):
            found |= set(inner)
    return found


def used():
    """``(path, variables)`` of every file that Ansible reads."""
    for folder in ("roles", "playbooks", "group_vars", "inventories", "molecule"):
        for path in sorted((ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            if not path.is_file() or "meta" in parts:
                continue
            if "templates" in parts:
                yield path, names_in(path.read_text())
            elif path.suffix == ".yml":
                content = load(path)
                top = set(content) if folder == "group_vars" or "group_vars" in parts else set()
                yield path, names(content) | top


def test_nothing_uses_a_variable_that_its_role_does_not_have():
    known = {name for role in ROLES for name in specified(role)}
    unknown = {
        str(path.relative_to(ROOT)): wrong
        for path, found in used()
        if (wrong := {each for each in found if each.split("_")[0] in ROLES and "_" in each
                      and each not in known and not EXPORT.fullmatch(each)})
    }  # fmt: skip

    assert unknown == {}


def test_no_role_reads_the_variables_of_another():
    foreign = {}
    for path, found in used():
        parts = path.relative_to(ROOT).parts
        if parts[0] == "roles":
            others = [role for role in ROLES if role != parts[1]]
            if wrong := {each for each in found if each.lstrip("_").split("_")[0] in others}:
                foreign[str(path.relative_to(ROOT))] = wrong

    assert foreign == {}


def test_the_validation_knows_every_role():
    assert load(ROOT / "group_vars/all/project.yml")["project_roles"] == ROLES


def test_the_readmes_have_the_variables():
    check = [sys.executable, ROOT / "tools/role-readmes", "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert all((ROOT / "roles" / role / "README.md").exists() for role in ROLES)
