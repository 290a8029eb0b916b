"""The events of YAML documents, as plain as those of JSON: no aliases, no tags, keys that are text."""

import math
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import yaml

from app.imports.readers.nested import Event
from app.imports.readers.options import FileRefused, Limits, shown
from app.imports.readers.text import Text

TAG: Final = "tag:yaml.org,2002:"
KINDS: Final = {"str": "string", "int": "number", "float": "number", "bool": "boolean", "null": "null"}
PLAIN: Final = {TAG + kind for kind in (*KINDS, "timestamp", "map", "seq")}
LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML was built with it."""


class YamlEvents:
    """The events of a stream of YAML documents."""

    def __init__(self, text: Text, limits: Limits) -> None:
        self.name = text.name
        self.line: int | None = 1
        self._pieces = text.pieces()
        self._limits = limits
        self._read = 0
        self._at = 0
        self._begun = 0
        self._safe = yaml.SafeLoader("")

    def begin(self) -> None:
        """As `Events.begin`."""
        self._begun = self._at

    def read(self, _size: int) -> str:
        """The next text, for PyYAML. Raises FileRefused for a file that is too long."""
        text = next(self._pieces, "")
        self._read += len(text)
        if self._read > self._limits.yaml_bytes:
            raise FileRefused(
                f"has more than {self._limits.yaml_bytes:,} characters", file=self.name, hint="YAML is slow: send JSON"
            )
        return text

    def __iter__(self) -> Iterator[Event]:
        """Each event. Raises FileRefused."""
        try:
            yield from self._plain()
        except yaml.MarkedYAMLError as fault:
            mark = fault.problem_mark or fault.context_mark
            line = mark.line + 1 if mark else None
            raise FileRefused(f"is not YAML: {fault.problem or fault.context}", file=self.name, line=line) from fault
        except yaml.YAMLError as fault:
            raise FileRefused(f"is not YAML: {fault}", file=self.name, line=self.line) from fault

    def _plain(self) -> Iterator[Event]:
        inside: list[str] = []  # what each open list or object waits for: an item; a key or a value
        for event in yaml.parse(self, Loader=LOADER):
            self._place(event)
            wanted = inside[-1] if inside else ""
            match event:
                case yaml.AliasEvent():
                    raise self._refused("aliases are not read", hint="write the value out")
                case yaml.CollectionEndEvent():
                    inside.pop()
                    yield "end_map" if isinstance(event, yaml.MappingEndEvent) else "end_array", None
                case yaml.ScalarEvent() if wanted == "key":
                    inside[-1] = "value"
                    yield "map_key", self._key(event)
                case yaml.NodeEvent() if wanted == "key":
                    raise self._refused("a key is a list or an object")
                case yaml.NodeEvent():
                    if wanted == "value":
                        inside[-1] = "key"
                    if isinstance(event, yaml.ScalarEvent):
                        yield self._scalar(event, alone=not inside)
                    else:
                        mapping = isinstance(event, yaml.MappingStartEvent)
                        inside.append("key" if mapping else "item")
                        yield "start_map" if mapping else "start_array", None

    def _place(self, event: yaml.Event) -> None:
        """Note where `event` is, and refuse what is not plain about it."""
        self.line = event.start_mark.line + 1
        self._at = event.start_mark.index
        if self._at - self._begun > self._limits.row:
            raise self._refused(f"an element has more than {self._limits.row:,} characters")
        if getattr(event, "anchor", None) is not None and not isinstance(event, yaml.AliasEvent):
            raise self._refused("anchors and aliases are not read", hint="write the value out where it is used")
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in PLAIN and tag != "!":
            raise self._refused(f"the tag {shown(tag)} is not read")

    def _key(self, event: yaml.ScalarEvent) -> str:
        """A key as it is written: `2024-01-01` and `no` are text here."""
        if event.value == "<<" and event.implicit[0]:
            raise self._refused("merge keys are not read", hint="write the fields out")
        return str(event.value)

    def _scalar(self, event: yaml.ScalarEvent, *, alone: bool) -> Event:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._safe.resolve(yaml.ScalarNode, event.value, event.implicit)
        if alone and not event.value and tag == TAG + "null":
            return "nothing", None
        node = yaml.ScalarNode(tag if tag in PLAIN else TAG + "str", event.value)
        try:
            value: Any = self._safe.construct_object(node)
        except (ValueError, KeyError, OverflowError, yaml.YAMLError) as fault:
            raise self._refused(f"{shown(event.value)} is not what it looks like: {fault}") from fault
        self._safe.constructed_objects.clear()
        if isinstance(value, date):
            return "string", value.isoformat()
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refused(f"{shown(event.value)} is no number", hint="put text in quotes")
        return KINDS.get(tag.removeprefix(TAG), "string"), value

    def _refused(self, detail: str, *, hint: str | None = None) -> FileRefused:
        return FileRefused(detail, file=self.name, line=self.line, hint=hint)
