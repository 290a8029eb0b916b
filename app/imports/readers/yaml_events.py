"""The events of YAML documents, as plain as those of JSON: no aliases, no tags, keys that are text."""

import math
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import yaml

from app.imports.readers.nested import Event
from app.imports.readers.options import FileRefused, ReadLimits, quote_text
from app.imports.readers.text import DecodedText

TAG_PREFIX: Final = "tag:yaml.org,2002:"
EVENT_KIND_OF_TAG: Final = {"str": "string", "int": "number", "float": "number", "bool": "boolean", "null": "null"}
PLAIN_TAGS: Final = {TAG_PREFIX + kind for kind in (*EVENT_KIND_OF_TAG, "timestamp", "map", "seq")}
LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML was built with it."""


class YamlEvents:
    """The events of a stream of YAML documents."""

    def __init__(self, text: DecodedText, limits: ReadLimits) -> None:
        self.name = text.name
        self.line: int | None = 1
        self._pieces = text.pieces()
        self._limits = limits
        self._characters_read = 0
        self._position = 0
        self._element_start = 0
        self._constructor = yaml.SafeLoader("")

    def begin_element(self) -> None:
        """As `Events.begin`."""
        self._element_start = self._position

    def read(self, _size: int) -> str:
        """The next text, for PyYAML. Raises FileRefused for a file that is too long."""
        text = next(self._pieces, "")
        self._characters_read += len(text)
        if self._characters_read > self._limits.yaml_bytes:
            raise FileRefused(
                f"has more than {self._limits.yaml_bytes:,} characters", file=self.name, hint="YAML is slow: send JSON"
            )
        return text

    def __iter__(self) -> Iterator[Event]:
        """Each event. Raises FileRefused."""
        try:
            yield from self._plain_events()
        except yaml.MarkedYAMLError as fault:
            mark = fault.problem_mark or fault.context_mark
            line = mark.line + 1 if mark else None
            raise FileRefused(f"is not YAML: {fault.problem or fault.context}", file=self.name, line=line) from fault
        except yaml.YAMLError as fault:
            raise FileRefused(f"is not YAML: {fault}", file=self.name, line=self.line) from fault

    def _plain_events(self) -> Iterator[Event]:
        inside: list[str] = []  # what each open list or object waits for: an item; a key or a value
        for event in yaml.parse(self, Loader=LOADER):
            self._check_event(event)
            wanted = inside[-1] if inside else ""
            match event:
                case yaml.AliasEvent():
                    raise self._refusal("aliases are not read", hint="write the value out")
                case yaml.CollectionEndEvent():
                    inside.pop()
                    yield "end_map" if isinstance(event, yaml.MappingEndEvent) else "end_array", None
                case yaml.ScalarEvent() if wanted == "key":
                    inside[-1] = "value"
                    yield "map_key", self._key(event)
                case yaml.NodeEvent() if wanted == "key":
                    raise self._refusal("a key is a list or an object")
                case yaml.NodeEvent():
                    if wanted == "value":
                        inside[-1] = "key"
                    if isinstance(event, yaml.ScalarEvent):
                        yield self._scalar(event, alone=not inside)
                    else:
                        mapping = isinstance(event, yaml.MappingStartEvent)
                        inside.append("key" if mapping else "item")
                        yield "start_map" if mapping else "start_array", None

    def _check_event(self, event: yaml.Event) -> None:
        """Note where `event` is, and refuse what is not plain about it."""
        self.line = event.start_mark.line + 1
        self._position = event.start_mark.index
        if self._position - self._element_start > self._limits.row:
            raise self._refusal(f"an element has more than {self._limits.row:,} characters")
        if getattr(event, "anchor", None) is not None and not isinstance(event, yaml.AliasEvent):
            raise self._refusal("anchors and aliases are not read", hint="write the value out where it is used")
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in PLAIN_TAGS and tag != "!":
            raise self._refusal(f"the tag {quote_text(tag)} is not read")

    def _key(self, event: yaml.ScalarEvent) -> str:
        """A key as it is written: `2024-01-01` and `no` are text here."""
        if event.value == "<<" and event.implicit[0]:
            raise self._refusal("merge keys are not read", hint="write the fields out")
        return str(event.value)

    def _scalar(self, event: yaml.ScalarEvent, *, alone: bool) -> Event:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._constructor.resolve(yaml.ScalarNode, event.value, event.implicit)
        if alone and not event.value and tag == TAG_PREFIX + "null":
            return "nothing", None
        node = yaml.ScalarNode(tag if tag in PLAIN_TAGS else TAG_PREFIX + "str", event.value)
        try:
            value: Any = self._constructor.construct_object(node)
        except (ValueError, KeyError, OverflowError, yaml.YAMLError) as fault:
            raise self._refusal(f"{quote_text(event.value)} is not what it looks like: {fault}") from fault
        self._constructor.constructed_objects.clear()
        if isinstance(value, date):
            return "string", value.isoformat()
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refusal(f"{quote_text(event.value)} is no number", hint="put text in quotes")
        return EVENT_KIND_OF_TAG.get(tag.removeprefix(TAG_PREFIX), "string"), value

    def _refusal(self, detail: str, *, hint: str | None = None) -> FileRefused:
        return FileRefused(detail, file=self.name, line=self.line, hint=hint)
