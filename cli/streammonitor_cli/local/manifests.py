"""The folder of a local fleet: StreamMonitors and Secrets in YAML or JSON, read as they change.

What `kubectl apply -f DIR` takes, this takes: several documents a file, lists, only the files right
in the folder. What is wrong is told with file and line, in the words of the API server's checks,
and what the file said before stays in effect, as it would in a cluster.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streammonitor_api.errors import InputError
from streammonitor_api.resource import KIND, ResourceError, parse_monitor
from streammonitor_api.resource.problems import Path as FieldPath
from streammonitor_api.texts import read_small_text

SUFFIXES = (".yaml", ".yml", ".json")
_MOST_MIB = 4
"""Of a file: more than any resource that a cluster would take."""

Stamp = tuple[int, int, int]
"""Of a file: when it was changed (ns), its size, its inode."""


@dataclass(frozen=True, slots=True)
class Document:
    """One resource of a file."""

    path: Path
    line: int
    kind: str
    key: str
    """`namespace/name`."""
    content: Mapping[str, Any] = field(repr=False)

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(slots=True)
class _File:
    stamp: Stamp | None = None
    documents: list[Document] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Applied:
    """All resources of the folder, as they are to be followed."""

    monitors: Mapping[str, Mapping[str, Any]]
    secrets: Mapping[str, Mapping[str, str]]
    """Their data, base64 as the API server has it."""
    problems: tuple[str, ...]
    """What is wrong now, one line each: file, line, field, what to do."""


class Folder:
    """Reads a folder again and again; files that did not change are not read.

    A file that changes is read once it has been the same for two looks: an editor may be writing
    it, or be about to put another in its place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[Path, _File] = {}
        self._changing: dict[Path, Stamp | None] = {}
        """Files that differed when it was looked last, as they were then; None: gone."""
        self._has_looked = False

    def look(self) -> Applied | None:
        """What the folder says now; None if that is what it said before. Raises InputError where
        there is no such folder."""
        stamps = dict(self._stamps())
        known = {path: file.stamp for path, file in self._files.items()}
        changing = {
            path: stamps.get(path)
            for path in stamps.keys() | known.keys()
            if stamps.get(path) != known.get(path)
        }
        settled = [
            path
            for path, stamp in changing.items()
            if not self._has_looked or (path in self._changing and self._changing[path] == stamp)
        ]
        is_first, self._has_looked = not self._has_looked, True
        self._changing = changing
        for path in settled:
            self._take(path, changing[path])
        return self._applied() if settled or is_first else None

    def _take(self, path: Path, stamp: Stamp | None) -> None:
        if stamp is None:
            del self._files[path]
            return
        file = self._files.setdefault(path, _File())
        file.stamp = stamp
        _read_file(path, file)

    def _stamps(self) -> Iterator[tuple[Path, Stamp]]:
        try:
            found = sorted(self._path.iterdir())
        except OSError as error:
            raise InputError(
                f"{self._path}: cannot be read, {error.strerror}; name a folder of StreamMonitor "
                "files"
            ) from None
        for path in found:
            if path.suffix in SUFFIXES and not path.name.startswith("."):
                try:
                    known = path.stat()
                except OSError:  # it went in this instant
                    continue
                yield path, (known.st_mtime_ns, known.st_size, known.st_ino)

    def _applied(self) -> Applied:
        problems = [problem for file in self._files.values() for problem in file.problems]
        unique: dict[tuple[str, str], Document] = {}
        for path in sorted(self._files):
            for document in self._files[path].documents:
                first = unique.setdefault((document.kind, document.key), document)
                if first is not document:
                    problems.append(
                        f"{document.where}: {document.kind} {document.key} is in {first.where} "
                        "already; rename or remove one"
                    )
        return Applied(
            {key: one.content for (kind, key), one in unique.items() if kind == KIND},
            {key: _data(one) for (kind, key), one in unique.items() if kind == "Secret"},
            tuple(problems),
        )


def _read_file(path: Path, known: _File) -> None:
    """Read its documents; those that are wrong stay as they were."""
    before = {(one.kind, one.key): one for one in known.documents}
    known.problems = []
    try:
        found = list(_documents(path))
    except InputError as error:
        known.problems.append(str(error))
        return
    known.documents = []
    for document, problems in found:
        if not problems:
            known.documents.append(document)
            continue
        known.problems += problems
        kept = before.get((document.kind, document.key))
        if kept is not None:
            known.documents.append(kept)
            known.problems[-1] += " (what it said before stays in effect)"


def _documents(path: Path) -> Iterator[tuple[Document, list[str]]]:
    """The resources of a file that matter here, each with what is wrong with it."""
    text = read_small_text(path, "resource", most_mib=_MOST_MIB, advice="mend or remove it")
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        contents = list(yaml.safe_load_all(text))
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f":{error.problem_mark.line + 1}"
        raise InputError(f"{path}{line}: not valid YAML, {error.problem}; mend the file") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a resource; mend the file") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not valid YAML, {reason}; mend the file") from None
    for node, content in zip(nodes, contents, strict=False):
        if content is None:
            continue
        if isinstance(content, Mapping) and content.get("kind") == "List":
            inner = _inside(node, "items")
            items = content.get("items")
            parts = inner.value if isinstance(inner, yaml.SequenceNode) else []
            for part, item in zip(parts, items if isinstance(items, list) else (), strict=False):
                yield from _document(path, part, item)
        else:
            yield from _document(path, node, content)


def _document(path: Path, node: Any, content: object) -> Iterator[tuple[Document, list[str]]]:
    line = node.start_mark.line + 1
    if not isinstance(content, Mapping) or not isinstance(content.get("kind"), str):
        document = Document(path, line, "", "", {})
        yield document, [f"{path}:{line}: not a resource; write apiVersion, kind, metadata, spec"]
        return
    metadata = content.get("metadata")
    names = metadata if isinstance(metadata, Mapping) else {}
    key = f"{names.get('namespace', 'default')}/{names.get('name', '')}"
    document = Document(path, line, str(content["kind"]), key, content)
    if document.kind == "Secret":
        yield document, _secret_problems(document)
    elif document.kind == KIND or "streammonitor" in str(content.get("apiVersion", "")):
        yield document, _monitor_problems(document, node)


def _monitor_problems(document: Document, node: Any) -> list[str]:
    try:
        parse_monitor(document.content)
    except ResourceError as error:
        return [
            f"{document.path}:{_line(node, problem.path)}: {problem}" for problem in error.problems
        ]
    return []


def _secret_problems(document: Document) -> list[str]:
    if document.key.endswith("/"):
        return [f"{document.where}: metadata.name: missing; add it"]
    for name in ("data", "stringData"):
        values = document.content.get(name)
        if values is not None and not (
            isinstance(values, Mapping) and all(isinstance(one, str) for one in values.values())
        ):
            return [f"{document.where}: {name}: not a mapping of texts; write KEY: VALUE"]
    return []


def _data(secret: Document) -> dict[str, str]:
    """As the API server keeps it: `stringData` becomes part of `data`."""
    data = dict(secret.content.get("data") or {})
    for name, text in (secret.content.get("stringData") or {}).items():
        data[name] = base64.b64encode(text.encode()).decode("ascii")
    return data


def _line(node: Any, path: FieldPath) -> int:
    """The line of a field, or of the closest thing around it that there is."""
    line = node.start_mark.line
    for step in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
            continue
        found = _pair(node, step)
        if found is None:
            break
        key, node = found
        line = key.start_mark.line
    return int(line) + 1


def _inside(node: Any, name: str) -> Any:
    found = _pair(node, name)
    return None if found is None else found[1]


def _pair(node: Any, name: str | int) -> tuple[Any, Any] | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    found = [pair for pair in pairs if pair[0].value == str(name)]
    return found[-1] if found else None


def fingerprint(content: Mapping[str, Any]) -> str:
    """Tells one specification from another."""
    return json.dumps(content.get("spec"), sort_keys=True, default=str)
