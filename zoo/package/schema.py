"""What the `config.json` of a package may hold: `config.schema.json`. No torch here.

Of architectures and front ends, the file states what families and kinds say of their own values (`scripts/docs.py`
writes it there); a package is checked by its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from reprlib import Repr
from typing import Any

from supernet.arch import MAX_CLASSES, MAX_COEFFICIENTS, MAX_FRAMES, MAX_STEP_MS
from supernet.errors import InvalidPackage
from supernet.families import family
from supernet.files import canonical_json
from supernet.frontend import front_end
from supernet.schemas import listing, record, whole

__all__ = ["PATH", "SCHEMA", "check_values", "check_version", "layout"]


SCHEMA, FORMER = 2, (1,)
"""The version of packages that is written and read, and former ones that are read: 1 has other test vectors."""
REPUBLISH = "publish the model again with `earshot publish`"
PATH = Path(__file__).with_name("config.schema.json")
MAX_LAYERS = 1000
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
    if version not in (*FORMER, SCHEMA):
        age, remedy = ("newer", "update Earshot") if version > SCHEMA else ("older", REPUBLISH)
        raise InvalidPackage(f"{path}: schema = {SHORT.repr(version)} is {age} than {SCHEMA}: {remedy}")


def check_values(values: Any) -> None:
    """Raise InvalidPackage, naming the field, its value and what is possible, for what the schema does not allow.

    values: of a `config.json`.
    """
    import fastjsonschema

    try:
        families = _named(values, "arch", "family", family.names)
        _validator(families, _named(values, "frontend", "kind", front_end.names))(values)
    except fastjsonschema.JsonSchemaValueException as error:
        raise InvalidPackage(_message(error)) from None
    except RecursionError:
        raise InvalidPackage("its values are nested too deeply") from None


def layout(families: tuple[str, ...], kinds: tuple[str, ...]) -> dict:
    """The JSON schema of packages of these families and kinds of front ends."""
    schema = json.loads(PATH.read_bytes())
    schema["properties"] |= {
        "arch": {
            "title": "Architecture",
            "description": "Everything that fixes the network's computation.",
            **_any_of({name: family(name).schema for name in families}, _arch_record),
        },
        "frontend": {
            "title": "Front end",
            "description": "From samples to features, before they are quantised.",
            **_any_of({kind: front_end(kind).schema for kind in kinds}, _frontend_record),
        },
    }
    return schema


def _any_of(schemas: dict[str, dict], record_of: Callable[[list[str], dict], dict]) -> dict:
    """One record where all of these names have the same values, else one for each that differ."""
    alike: dict[str, list[str]] = {}
    for name, schema in schemas.items():
        alike.setdefault(canonical_json(schema), []).append(name)
    found = [record_of(names, schemas[names[0]]) for names in alike.values()]
    return found[0] if len(found) == 1 else {"oneOf": found}


def _frontend_record(kinds: list[str], schema: dict) -> dict:
    """Of front ends of these kinds, which have the same values."""
    return record({"kind": {"title": "Kind", "description": "Of front end.", "enum": kinds}, **schema})


def _arch_record(names: list[str], schema: dict) -> dict:
    """Of an Arch of these families, whose shapes have the same values."""
    features = {
        "kind": {"title": "Kind", "description": "Of front end.", "enum": list(front_end.names)},
        "coefficients": whole("Coefficients", "A frame.", 1, MAX_COEFFICIENTS),
        "step_ms": whole("Step", "In ms from frame to frame.", 1, MAX_STEP_MS),
    }
    of_weights, of_layers = ({"type": "integer", "minimum": low, "maximum": high} for low, high in ((1, 8), (2, 16)))
    each = "One entry for each layer"
    return record(
        {
            "family": {"title": "Family", "description": "Of networks.", "enum": names},
            "features": {"title": "Features", "description": "That the network reads.", **record(features)},
            "frames": whole("Frames", "A clip.", 1, MAX_FRAMES),
            "classes": whole("Classes", "As many as labels.", 2, MAX_CLASSES),
            **schema,
            "weight_bits": listing("Bits of weights", f"{each} with weights, in their order.", MAX_LAYERS, of_weights),
            "activation_bits": listing("Bits between layers", f"{each}, input first.", MAX_LAYERS, of_layers),
        }
    )


def _named(values: Any, part: str, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The family, or the kind of front end, that a package names; any where it names none, which the schema tells.

    Raises InvalidPackage for one that is not known.
    """
    own = values.get(part) if isinstance(values, dict) else None
    if not isinstance(own, dict) or key not in own:
        return known[:1]
    if own[key] not in known:
        raise InvalidPackage(f"{part}.{key} = {SHORT.repr(own[key])} is not possible: give {', '.join(known)}")
    return (own[key],)


@cache
def _validator(families: tuple[str, ...], kinds: tuple[str, ...]):
    """The schema as a function; that takes 50 ms, so it is made where the first package is read."""
    import fastjsonschema

    return fastjsonschema.compile(layout(families, kinds), use_default=False)


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
