"""What the `config.json` of a package may hold: `config.schema.json`. No torch here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from reprlib import Repr
from typing import Any

from zoo.errors import InvalidPackage

__all__ = ["SCHEMA", "check_values", "check_version"]

SCHEMA = 1
"""The version of packages that is written and read."""
REPUBLISH = "publish the model again with `earshot publish`"
PATH = Path(__file__).with_name("config.schema.json")
KINDS = {
    "array": ("a list", " of"),
    "boolean": ("true or false", ""),
    "integer": ("a whole number", " from"),
    "number": ("a number", " from"),
    "object": ("an object", " of"),
}
ENDS = ("imum", "Items", "Properties")
SHORT, FIELD = Repr(), Repr()
SHORT.maxstring = SHORT.maxlong = SHORT.maxother = 60
FIELD.maxstring = 160


def check_version(values: Any, path: Path) -> None:
    """Raise InvalidPackage for a file that this version does not read. values: of the JSON at `path`."""
    version = values.get("schema") if isinstance(values, dict) else None
    if type(version) is not int:
        raise InvalidPackage(f"{path}: schema = {SHORT.repr(version)}: this is no package; give the folder of one")
    if version != SCHEMA:
        age, remedy = ("newer", "update Earshot") if version > SCHEMA else ("older", REPUBLISH)
        raise InvalidPackage(f"{path}: schema = {SHORT.repr(version)} is {age} than {SCHEMA}: {remedy}")


def check_values(values: Any) -> None:
    """Raise InvalidPackage, naming the field, its value and what is possible, for what the schema does not allow.

    values: of a `config.json`.
    """
    import fastjsonschema

    try:
        _validator()(values)
    except fastjsonschema.JsonSchemaValueException as error:
        raise InvalidPackage(_message(error)) from None
    except RecursionError:
        raise InvalidPackage("its values are nested too deeply") from None


@cache
def _validator():
    """The schema as a function; that takes 50 ms, so it is made where the first package is read."""
    import fastjsonschema

    return fastjsonschema.compile(json.loads(PATH.read_bytes()), use_default=False)


def _message(error) -> str:
    """One line of a JsonSchemaValueException."""
    field = FIELD.repr(error.name.removeprefix("data").removeprefix("."))[1:-1]
    inside, rule, value = f"{field}: " if field else "", error.definition, error.value
    if error.rule == "required":
        return f"{inside}{next(key for key in rule['required'] if key not in value)!r} is missing"
    if error.rule == "additionalProperties":
        unknown = next(key for key in value if key not in rule["properties"])
        return f"{inside}{SHORT.repr(unknown)} is not known; known: {', '.join(rule['properties'])}"
    return f"{field or 'it'} = {SHORT.repr(value)} is not possible: give {_wanted(rule)}"


def _wanted(rule: dict) -> str:
    """What a part of the schema allows, in words."""
    if "pattern" in rule:
        return rule["description"]
    if "enum" in rule or "const" in rule:
        return ", ".join(map(str, rule.get("enum", [rule.get("const")])))
    low, high = (next((rule[end + of] for of in ENDS if end + of in rule), None) for end in ("min", "max"))
    ends = [str(end) for end in dict.fromkeys((low, high)) if end is not None]
    span = f"{KINDS[rule['type']][1]} {' to '.join(ends)}" if ends else ""
    multiple = f", a multiple of {rule['multipleOf']}" if "multipleOf" in rule else ""
    return KINDS[rule["type"]][0] + span + multiple + ", all different" * ("uniqueItems" in rule)
