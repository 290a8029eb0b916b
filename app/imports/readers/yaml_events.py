"""Parses YAML documents into the same events as JSON: without aliases and tags, and with text keys."""

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
"""libyaml's parser if PyYAML was built with it."""


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
        """See `EventSource.begin_element`."""
        self._element_start = self._position

    def read(self, _size: int) -> str:
        """Return the next piece of text, for PyYAML. Raises `FileRefused` for a file that is too long."""
        text = next(self._pieces, "")
        self._characters_read += len(text)
        if self._characters_read > self._limits.yaml_bytes:
            raise FileRefused(
                f"has more than {self._limits.yaml_bytes:,} characters", file=self.name, hint="YAML is slow: send JSON"
            )
        return text

    def __iter__(self) -> Iterator[Event]:
        """Yield each event. Raises `FileRefused`."""
        try:
            yield from self._plain_events()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else None
            raise FileRefused(f"is not YAML: {error.problem or error.context}", file=self.name, line=line) from error
        except yaml.YAMLError as error:
            raise FileRefused(f"is not YAML: {error}", file=self.name, line=self.line) from error

    def _plain_events(self) -> Iterator[Event]:
        expected: list[str] = []  # for each open list or object: "item", or "key" or "value"
        for event in yaml.parse(self, Loader=LOADER):
            self._check_event(event)
            wanted = expected[-1] if expected else ""
            match event:
                case yaml.AliasEvent():
                    raise self._refusal("aliases are not supported", hint="write the value out")
                case yaml.CollectionEndEvent():
                    expected.pop()
                    yield "end_map" if isinstance(event, yaml.MappingEndEvent) else "end_array", None
                case yaml.ScalarEvent() if wanted == "key":
                    expected[-1] = "value"
                    yield "map_key", self._key(event)
                case yaml.NodeEvent() if wanted == "key":
                    raise self._refusal("a key is a list or an object")
                case yaml.NodeEvent():
                    if wanted == "value":
                        expected[-1] = "key"
                    if isinstance(event, yaml.ScalarEvent):
                        yield self._scalar(event, alone=not expected)
                    else:
                        mapping = isinstance(event, yaml.MappingStartEvent)
                        expected.append("key" if mapping else "item")
                        yield "start_map" if mapping else "start_array", None

    def _check_event(self, event: yaml.Event) -> None:
        """Store the position of `event`. Raises `FileRefused` for anchors, tags and elements that are too long."""
        self.line = event.start_mark.line + 1
        self._position = event.start_mark.index
        if self._position - self._element_start > self._limits.row_bytes:
            raise self._refusal(f"an element has more than {self._limits.row_bytes:,} characters")
        if getattr(event, "anchor", None) is not None and not isinstance(event, yaml.AliasEvent):
            raise self._refusal("anchors and aliases are not supported", hint="write the value out where it is used")
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in PLAIN_TAGS and tag != "!":
            raise self._refusal(f"the tag {quote_text(tag)} is not supported")

    def _key(self, event: yaml.ScalarEvent) -> str:
        """Return a key as text: `2024-01-01` and `no` are not converted."""
        if event.value == "<<" and event.implicit[0]:
            raise self._refusal("merge keys are not supported", hint="write the fields out")
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
        except (ValueError, KeyError, OverflowError, yaml.YAMLError) as error:
            raise self._refusal(f"{quote_text(event.value)} cannot be converted: {error}") from error
        self._constructor.constructed_objects.clear()
        if isinstance(value, date):
            return "string", value.isoformat()
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refusal(f"{quote_text(event.value)} is not a number", hint="put text in quotes")
        return EVENT_KIND_OF_TAG.get(tag.removeprefix(TAG_PREFIX), "string"), value

    def _refusal(self, detail: str, *, hint: str | None = None) -> FileRefused:
        return FileRefused(detail, file=self.name, line=self.line, hint=hint)
