"""Words of the command line: checked against a command's settings, values taken literally."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import AnyNode, DictConfig, ListConfig, StringNode, open_dict
from omegaconf.nodes import ValueNode

from spinedet.core.errors import InputError

_OVERRIDE = re.compile(r"(?P<sign>[+~]{0,2})(?P<key>[A-Za-z_][\w./-]*(?:@[\w.]+)?)(?:=(?P<value>.*))?", re.DOTALL)
_PLAIN = re.compile(r"[\w./:-]+", re.ASCII)
# Parts of the composition that nobody chooses by name.
_INTERNAL_GROUPS = ("common", "experiment_model")
_MULTIRUN = ("-m", "--multirun")


@dataclass(frozen=True)
class Known:
    """The settings of a command, composed with the chosen groups.

    Attributes:
        config: every setting. listed: its config groups.
    """

    config: DictConfig
    listed: frozenset[str]

    @property
    def keys(self) -> list[str]:
        """Every setting and group by its dotted name."""
        return [*sorted(self.listed), *(key for key, _ in walk(self.config))]

    def node(self, key: str) -> object | None:
        """The node of a setting, None where there is none."""
        node: object = self.config
        for part in key.split("."):
            if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
                return None
            node = node._get_node(part, validate_access=False)
        return node


def walk(config: DictConfig, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted name and node of every setting, depth first."""
    for name in map(str, config):
        node = config._get_node(name)
        yield f"{prefix}{name}", node
        if isinstance(node, DictConfig) and not (node._is_none() or node._is_missing()):
            yield from walk(node, f"{prefix}{name}.")


def read_words(words: Sequence[str], command: str, folder: Path) -> list[str]:
    """The words of a command line as Hydra takes them.

    Text after `key=` is quoted wherever the setting is text, so that `=`, commas, brackets, quotes and any letter are
    read literally; `data.manifests=a.json` is a list of one; a group is taken with or without a leading `+`; `-m` may
    stand anywhere.

    Raises:
        InputError: a key that the command does not have, with the nearest one; a word that sets nothing.
    """
    multirun = [word for word in words if word in _MULTIRUN]
    rest = [word for word in words if word not in _MULTIRUN]
    _refuse_strays(rest)
    overrides = [word for word in rest if _is_override(word)]
    known = known_settings(command, folder, overrides)
    taken = [_read(word, known, command, bool(multirun)) if _is_override(word) else word for word in rest]
    return [*multirun[:1], *taken]


def known_settings(command: str, folder: Path, overrides: Sequence[str] = ()) -> Known:
    """The settings of a command with the groups that the overrides choose.

    Raises:
        InputError: a choice that a group does not have.
    """
    name = command.rpartition(".")[2]
    with initialize_config_dir(version_base="1.3", config_dir=str(folder)):
        whole = compose(name, return_hydra_config=True)
        listed = frozenset(
            key for key in whole.hydra.runtime.choices if not key.startswith("hydra/") and key not in _INTERNAL_GROUPS
        )
        chosen = [word for word in (_choice(word, listed) for word in overrides) if word]
        if not chosen:
            with open_dict(whole):
                del whole["hydra"]
            return Known(whole, listed)
        try:
            return Known(compose(name, overrides=chosen), listed)
        except HydraException as error:
            raise InputError(str(error).replace("\n", " ")) from None


def _refuse_strays(words: Sequence[str]) -> None:
    for before, word in zip(["", *words], words, strict=False):
        if not (word.startswith("-") or before.startswith("-") or _is_override(word)):
            raise InputError(f"{word!r} sets nothing: write key=value, and quote text with spaces: 'out=my folder'")


def _is_override(word: str) -> bool:
    found = _OVERRIDE.fullmatch(word)
    return bool(found and (found["value"] is not None or found["sign"].startswith("~")))


def _choice(word: str, listed: frozenset[str]) -> str:
    """The override that chooses from a group, empty for anything else and for several choices of a sweep."""
    found = _OVERRIDE.fullmatch(word)
    assert found  # noqa: S101  # only overrides come here
    key, value = found["key"], found["value"]
    return f"{key}={value}" if key in listed and value and "," not in value else ""


def _read(word: str, known: Known, command: str, multirun: bool) -> str:
    found = _OVERRIDE.fullmatch(word)
    assert found  # noqa: S101  # only overrides come here
    key, value = found["key"], found["value"]
    if re.match(r"hydra[./]", key):
        return word
    node = known.node(key)
    if node is None and key not in known.listed:
        raise InputError(_unknown(key, known, command))
    if value is None or found["sign"].startswith("~"):  # a deletion, with or without the value that is deleted
        return word
    if key in known.listed:
        return f"{key}={value}"
    return f"{key}={_literal(value, node, multirun)}"


def _unknown(key: str, known: Known, command: str) -> str:
    keys = known.keys
    near = get_close_matches(key, keys, n=1, cutoff=0.6)
    # A key that was written without, or with another, group: the last part decides.
    near = near or [one for one in keys if one.rpartition(".")[2] == key.rpartition(".")[2]][:1]
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{command} has no setting {key}{hint} (`python -m spinedet.{command} --help` lists all)"


def _literal(value: str, node: object, multirun: bool) -> str:
    """The value as Hydra reads it back unchanged."""
    if value == "null" or "${" in value or (multirun and "," in value):
        return value
    match node:
        case ListConfig() if node._metadata.element_type is str:
            inside = value[1:-1] if value.startswith("[") and value.endswith("]") else None
            items = [value] if inside is None else _items(inside)
            return f"[{','.join(map(_quoted, items))}]"
        case AnyNode():
            return value if _parses(value) else _quoted(value)
        case StringNode():
            return _quoted(value)
    return value


def _items(text: str) -> list[str]:
    """Comma-separated items; commas within quotes do not separate."""
    found = re.findall(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]+)\s*(?:,|$)""", text)
    return [item.strip() for item in found]


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) or (len(text) > 1 and text[0] == text[-1] and text[0] in "'\""):
        return text
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * trailing}'"


def _parses(value: str) -> bool:
    try:
        OverridesParser.create().parse_override(f"key={value}")
    except HydraException:
        return False
    return True


def listed_value(node: object) -> str:
    """A setting's value as it would be written on the command line."""
    if isinstance(node, ListConfig):
        return "null" if node._is_none() else str(list(node)).replace("'", "").replace(", ", ",")
    if isinstance(node, ValueNode):
        value = node._value()
        return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return ""
