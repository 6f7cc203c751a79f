"""Reads YAML into typed structs, and says of every mistake in which file, line and column it stands.

Numbers are taken from their text, so that a price is never a float. Must not know what the sections mean, and must
not read the environment: values for `$NAME` are given to it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

import msgspec
import yaml

_REFERENCE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")
_WHOLE = re.compile(r"[+-]?[0-9][0-9_]*")
_TRUE, _FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})
_TAG = "tag:yaml.org,2002:"
_LISTS = (list, tuple)
#: Structures nested deeper are refused; an alias that holds itself never ends otherwise.
MAX_DEPTH = 50


class Place(msgspec.Struct, frozen=True):
    """Where something was read: a file with line and column, or the name of what gave it."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class ConfigError(Exception):
    """The configuration cannot be used. The text names the place and what was expected there."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(place, message)  # as it was made, so that it can be sent to another process
        self.place = place
        self.message = message

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place.file else self.message


class Secret:
    """A text that never prints; `reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"


@dataclass(frozen=True, slots=True)
class Text:
    """Marks a type (`Annotated[int, Text(...)]`) that is read from its text by a function that raises ValueError."""

    parse: Callable[[str], object]
    expected: str


@dataclass(frozen=True, slots=True)
class PartOf:
    """Marks a mapping that may hold any of a struct's fields; the fields that are given are read as there."""

    struct: type[msgspec.Struct]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping of the file whose keys are known; `at` is set while reading."""

    at: Place = Place()


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A scalar: `tag` is YAML's guess of the type, or "" for text from the environment, which fits any type."""

    text: str
    tag: str
    place: Place


class Reader:
    """Turns nodes of one file, or single texts, into values of given types. Every mistake is a ConfigError."""

    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ

    def parse(self, source: bytes, kind: type[Any]) -> Any:
        """The document as `kind`; an empty one as an empty mapping."""
        try:
            text = source.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = source.count(b"\n", 0, error.start) + 1
            raise ConfigError(Place(self._file, line, 1), "not valid UTF-8") from None
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(self._file, mark.line + 1, mark.column + 1) if mark else Place(self._file)
            raise ConfigError(place, f"not valid YAML: {error.problem or error.context}") from None
        except yaml.YAMLError as error:
            position = getattr(error, "position", 0)
            place = Place(self._file, text.count("\n", 0, position) + 1, 1)
            raise ConfigError(place, f"not valid YAML: {getattr(error, 'reason', error)}") from None
        if root is None:
            root = yaml.MappingNode(_TAG + "map", [])
        return self._read(root, kind, 0)

    def text(self, text: str, kind: Any) -> Any:
        """A text from outside the file (environment, command line) as `kind`; errors name this reader's file.

        What is a list in the file has commas between its parts here; a mapping is not to be had.
        """
        bare = _unmark(kind)[0]
        if get_origin(bare) in _LISTS:
            return [self.text(part.strip(), get_args(bare)[0]) for part in text.split(",") if part.strip()]
        if get_origin(bare) is dict:
            raise ConfigError(Place(self._file), "a mapping can be given by the file only")
        return self._scalar(_Scalar(text, "", Place(self._file)), kind)

    def _read(self, node: yaml.Node, kind: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            self._fail(node, "nested too deeply")
        kind, marks = _unmark(kind)
        for mark in marks:
            if isinstance(mark, PartOf):
                return self._fields(self._mapping(node, "a mapping"), mark.struct, depth)
            if isinstance(mark, Text):
                return self._scalar(self._as_scalar(node, mark.expected), Annotated[kind, mark])
        origin = get_origin(kind)
        if origin in (Union, UnionType):
            value = self._union(node, get_args(kind), depth)
        elif kind is object or kind is Any:
            value = self._any(node, depth)
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            place = self._place(node)
            fields = self._fields(self._mapping(node, "a mapping"), kind, depth, place)
            value = kind(**fields, at=place) if issubclass(kind, Section) else kind(**fields)
        elif origin is dict:
            item = get_args(kind)[1]
            pairs = self._mapping(node, "a mapping")
            value = {name: self._read(child, item, depth + 1) for name, (_, child) in pairs.items()}
        elif origin in _LISTS:
            if not isinstance(node, yaml.SequenceNode):
                self._fail(node, f"expected a list, not {_shape(node)}")
            value = origin(self._read(child, get_args(kind)[0], depth + 1) for child in node.value)
        else:
            value = self._scalar(self._as_scalar(node, _name(kind)), kind)
        return self._checked(value, kind, marks, self._place(node))

    def _fields(
        self,
        pairs: Mapping[str, tuple[yaml.Node, yaml.Node]],
        struct: type[msgspec.Struct],
        depth: int,
        whole: Place | None = None,
    ) -> dict[str, Any]:
        """The fields that are given; with `whole`, the struct's place, those that it needs must be among them."""
        known = {f.encode_name: f for f in msgspec.structs.fields(struct) if f.name != "at"}
        found: dict[str, Any] = {}
        for name, (key, child) in pairs.items():
            if name not in known:
                self._fail(key, f"unknown key {name!r}; known are {', '.join(known)}")
            found[known[name].name] = self._read(child, known[name].type, depth + 1)
        missing = [name for name, field in known.items() if field.required and field.name not in found]
        if missing and whole is not None:
            raise ConfigError(whole, f"missing: {', '.join(missing)}")
        return found

    def _union(self, node: yaml.Node, kinds: tuple[Any, ...], depth: int) -> Any:
        if NoneType in kinds and isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "null":
            return None
        fitting = [kind for kind in kinds if kind is not NoneType and isinstance(node, _node_type(kind))]
        if not fitting:
            expected = " or ".join(_name(kind) for kind in kinds if kind is not NoneType)
            self._fail(node, f"expected {expected}, not {_shape(node)}")
        return self._read(node, fitting[0], depth)

    def _any(self, node: yaml.Node, depth: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            pairs = self._mapping(node, "a mapping")
            return {name: self._read(child, object, depth + 1) for name, (_, child) in pairs.items()}
        if isinstance(node, yaml.SequenceNode):
            return [self._read(child, object, depth + 1) for child in node.value]
        scalar = self._as_scalar(node, "a value")
        kinds: dict[str, Any] = {"int": int, "bool": bool, "float": float}
        if scalar.tag == "null":
            return None
        return self._scalar(scalar, kinds.get(scalar.tag, str))

    def _mapping(self, node: yaml.Node, expected: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, f"expected {expected}, not {_shape(node)}")
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _TAG + "merge":
                self._fail(key, "a key is a plain name here")
            if key.value in found:
                self._fail(key, f"the key {key.value!r} stands here twice")
            found[key.value] = (key, child)
        return found

    def _as_scalar(self, node: yaml.Node, expected: str) -> _Scalar:
        if not isinstance(node, yaml.ScalarNode):
            self._fail(node, f"expected {expected}, not {_shape(node)}")
        text, tag = node.value, node.tag.removeprefix(_TAG)
        if tag == "str" and _REFERENCE.fullmatch(text):
            if text[1:] not in self._environ:
                self._fail(node, f"the environment has no {text[1:]}")
            return _Scalar(self._environ[text[1:]], "", self._place(node))
        if tag == "str" and text.startswith("$$"):
            text = text[1:]
        return _Scalar(text, tag, self._place(node))

    def _scalar(self, scalar: _Scalar, kind: Any) -> Any:
        kind, marks = _unmark(kind)
        for mark in marks:
            if isinstance(mark, Text):
                return _by_text(scalar, mark)
        if get_origin(kind) in (Union, UnionType):
            kind = next(k for k in get_args(kind) if k is not NoneType and get_origin(k) not in (*_LISTS, dict))
            return self._checked(self._scalar(scalar, kind), kind, marks, scalar.place)
        if get_origin(kind) is Literal:
            if scalar.text in get_args(kind):
                return scalar.text
            raise ConfigError(scalar.place, f"expected one of {', '.join(get_args(kind))}, not {scalar.text!r}")
        value = _READERS[kind](scalar)
        if value is None:
            shown = "a secret" if kind is Secret else repr(scalar.text)
            raise ConfigError(scalar.place, f"expected {_name(kind)}, not {shown}")
        return self._checked(value, kind, marks, scalar.place)

    def _checked(self, value: Any, kind: Any, marks: tuple[Any, ...], place: Place) -> Any:
        """`value` if it keeps the bounds of `msgspec.Meta` marks."""
        meta = [mark for mark in marks if isinstance(mark, msgspec.Meta)]
        if meta:
            try:
                msgspec.convert(value, Annotated[kind, meta[0]])
            except msgspec.ValidationError as error:
                expected = str(error).partition(" - at")[0].lower().replace(f"`{kind.__name__}`", _name(kind))
                raise ConfigError(place, f"{expected}, not {value!r}") from None
        return value

    def _place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1) if mark else Place(self._file)

    def _fail(self, node: yaml.Node, message: str) -> NoReturn:
        raise ConfigError(self._place(node), message)


def _by_text(scalar: _Scalar, mark: Text) -> Any:
    try:
        if scalar.tag in ("null", "bool"):
            raise ValueError(scalar.text)
        return mark.parse(scalar.text)
    except ValueError as error:
        why = str(error)
        more = f": {why}" if why and why != scalar.text else ""
        raise ConfigError(scalar.place, f"expected {mark.expected}, not {scalar.text!r}{more}") from None


def _str(scalar: _Scalar) -> str | None:
    # `yes` and `null` without quotes are more likely a mistake than a name; a number's text is kept as it stands.
    return None if scalar.tag in ("bool", "null") else scalar.text


def _secret(scalar: _Scalar) -> Secret | None:
    return None if scalar.tag in ("bool", "null") or not scalar.text else Secret(scalar.text)


def _int(scalar: _Scalar) -> int | None:
    if scalar.tag not in ("int", "") or not _WHOLE.fullmatch(scalar.text):
        return None
    value = int(scalar.text)
    return value if abs(value) < 1 << 63 else None


def _bool(scalar: _Scalar) -> bool | None:
    if scalar.tag not in ("bool", ""):
        return None
    word = scalar.text.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _decimal(scalar: _Scalar) -> Decimal | None:
    if scalar.tag not in ("int", "float", ""):
        return None
    try:
        value = Decimal(scalar.text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _float(scalar: _Scalar) -> float | None:
    value = _decimal(scalar)
    return None if value is None else float(value)


_READERS: dict[Any, Callable[[_Scalar], Any]] = {
    str: _str,
    Secret: _secret,
    int: _int,
    bool: _bool,
    float: _float,
}
_NAMES: dict[Any, str] = {
    str: "a text",
    Secret: "a text",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    object: "a value",
}


def _unmark(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without its `Annotated` marks, and the marks."""
    if get_origin(kind) is Annotated:
        bare, *marks = get_args(kind)
        return bare, tuple(marks)
    return kind, ()


def _node_type(kind: Any) -> type[yaml.Node]:
    """The kind of node that a type is read from."""
    bare = _unmark(kind)[0]
    if get_origin(bare) in _LISTS:
        return yaml.SequenceNode
    is_mapping = get_origin(bare) is dict or (isinstance(bare, type) and issubclass(bare, msgspec.Struct))
    return yaml.MappingNode if is_mapping else yaml.ScalarNode


def _name(kind: Any) -> str:
    kind, marks = _unmark(kind)
    for mark in marks:
        if isinstance(mark, Text):
            return mark.expected
    if get_origin(kind) in _LISTS:
        return "a list"
    return _NAMES.get(kind, "a mapping")


def _shape(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
