"""Licences of what exports write: the code is Earshot's, the weights have the licence of their package.

Files of C state theirs in a first line, as https://spdx.dev asks, and the file `LICENSE` of the folder names both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from supernet.families import family

__all__ = ["CODE", "FILE", "licence", "licensed", "of_both", "spdx"]

CODE, FILE = "Apache-2.0", "LICENSE"
UNLISTED = "LicenseRef-weights"
"""Of a licence that SPDX does not list by its name, which `LICENSE` tells."""
LISTED = {
    one.lower(): one
    for one in (
        "AFL-3.0", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear", "BSL-1.0",
        "CC0-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-2.0",
        "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0",
        "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0",
        "ECL-2.0", "EPL-1.0", "EPL-2.0", "etalab-2.0", "EUPL-1.1", "EUPL-1.2", "ISC", "MIT", "MPL-2.0", "MS-PL", "NCSA",
        "OFL-1.1", "OSL-3.0", "PostgreSQL", "Unlicense", "WTFPL", "Zlib",
    )
}  # fmt: skip
"""Identifiers of SPDX by how packages write them, which is as the Hugging Face Hub does."""
OF_C = (".c", ".h", ".ino")
CODE_TEXT = f"""\
Code of Earshot: all files but those named below.

SPDX-License-Identifier: {CODE}

Licensed under the Apache License, Version 2.0 (the "License"); you may not use these files except in compliance with
the License. You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on an
"AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific
language governing permissions and limitations under the License.
"""
WEIGHTS_TEXT = """\

----

Weights and known answers of the model {model}: {files}.

SPDX-License-Identifier: {spdx}

Licence: {licence}
{link}Attribution: {attribution}
"""
BOTH_TEXT = """\

Code and weights in one file, under both: {files}.
"""


def licence(model) -> str:
    """Of the weights, and what it does not say of the family's method."""
    notice = family(model.arch.family).notice.rstrip(".")
    return "; ".join(filter(None, [model.licence, notice[:1].lower() + notice[1:]]))


def spdx(name: str) -> str:
    """The identifier of a licence in the list of SPDX, or UNLISTED.

    >>> spdx("cc-by-4.0"), spdx("my own")
    ('CC-BY-4.0', 'LicenseRef-weights')
    """
    return LISTED.get(name.lower(), UNLISTED)


def of_both(name: str) -> str:
    """The expression of SPDX for code with weights under a licence.

    >>> of_both("cc-by-4.0")
    'Apache-2.0 AND CC-BY-4.0'
    """
    return " AND ".join(dict.fromkeys((CODE, spdx(name))))


def licensed(
    files: Mapping[str, str | bytes], model=None, weights: Iterable[str] = (), both: Iterable[str] = ()
) -> dict[str, str | bytes]:
    """Files by their paths, those of C with their licence in a first line, and LICENSE beside them.

    model: a zoo.Model, or None where all is code. weights: the files that hold what was made of data. both: those that
    hold code beside it. All others are code.
    """
    weights, both = tuple(weights), tuple(both)
    own = {path: spdx(model.licence) for path in weights} | {path: of_both(model.licence) for path in both}
    found = {path: _marked(path, data, own.get(path, CODE)) for path, data in files.items()}
    return {**found, FILE: CODE_TEXT + (_of_weights(model, weights, both) if own else "")}


def _marked(path: str, data: str | bytes, identifier: str) -> str | bytes:
    return f"/* SPDX-License-Identifier: {identifier} */\n{data}" if path.endswith(OF_C) else data


def _of_weights(model, weights: tuple[str, ...], both: tuple[str, ...]) -> str:
    own = spdx(model.licence)
    link = "" if own == UNLISTED else f"https://spdx.org/licenses/{own}.html\n"
    text = WEIGHTS_TEXT.format(
        model=model.name, files=", ".join(weights), spdx=own, licence=licence(model), link=link,
        attribution=model.attribution,
    )  # fmt: skip
    return text + (BOTH_TEXT.format(files=", ".join(both)) if both else "")
