"""The help page of a command: what it does, two examples, every setting with its meaning and choices."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from inspect import cleandoc
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from spinedet.cli.overrides import Known, known_settings, listed_value, walk

_WIDTH = 100


def help_page(command: str, folder: Path, overrides: Sequence[str]) -> str:
    """The text of `--help`, with the settings of the groups that the overrides choose."""
    known = known_settings(command, folder, overrides)
    head = OmegaConf.load(folder / f"{command.rpartition('.')[2]}.yaml").hydra.help.template.rstrip()
    lines = [head, "", "Settings, given as key=value (--cfg job prints them alone):", ""]
    for key, value, text in settings_of(known, folder):
        lines.append(f"  {key}={value}" if value else f"  {key}")
        lines += textwrap.wrap(text, _WIDTH, initial_indent="      ", subsequent_indent="      ")
    lines += [
        "",
        "Exit status: 0 done, 1 failed, 2 wrong settings or input, 3 some studies skipped, 130 interrupted.",
    ]
    return "\n".join(lines)


def settings_of(known: Known, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Key, default and explanation of every setting; groups with their choices."""
    explained = _explained(known)
    for group in sorted(known.listed - set(known.config)):
        yield group, "", f"Named settings. Choices: {', '.join(choices_of(group, folder))}."
    for key, node in walk(known.config):
        parent, _, name = key.rpartition(".")
        if name == "name" and parent in known.listed:
            continue  # which choice of the group this is; the group's own line shows it
        choices = f"Choices: {', '.join(choices_of(key, folder))}." if key in known.listed else ""
        yield key, listed_value(node), " ".join(filter(None, (explained.get(key, ""), choices)))


def _explained(known: Known) -> dict[str, str]:
    """The explanation of each setting by its dotted name; of a part without one, the summary of its class."""
    found: dict[str, str] = {}
    for key, node in (("", known.config), *walk(known.config)):
        if isinstance(node, DictConfig) and not (node._is_none() or node._is_missing()):
            schema = node._metadata.object_type
            if isinstance(schema, type) and is_dataclass(schema):
                found.setdefault(key, cleandoc(schema.__doc__ or "").splitlines()[0])
                prefix = f"{key}." if key else ""
                found |= {f"{prefix}{name}": text for name, text in explanations(schema).items()}
    return found


def choices_of(group: str, folder: Path) -> list[str]:
    """The options of a config group, from Python and from `conf/`."""
    stored = ConfigStore.instance().repo.get(group, {})
    return sorted({Path(name).stem for name in stored} | {path.stem for path in (folder / group).glob("*.yaml")})


def explanations(schema: type) -> dict[str, str]:
    """What each field of a settings class means, from the `Attributes` of its docstring and of its bases'."""
    found: dict[str, str] = {}
    for one in reversed(schema.__mro__):
        if is_dataclass(one) and one.__doc__:
            names = [field.name for field in fields(one)]
            found |= _attributes(cleandoc(one.__doc__), names)
    return found


def _attributes(doc: str, names: Sequence[str]) -> dict[str, str]:
    """`a, b: text. c: text` of a docstring's Attributes, by name."""
    _, _, rest = doc.partition("Attributes:")
    text = " ".join(rest.split("\n\n")[0].split())
    one = "|".join(map(re.escape, names))
    starts = list(re.finditer(rf"(?:^|(?<=[.;?)] ))((?:{one})(?:, (?:{one}))*): ", text))
    ends = [*(start.start() for start in starts), len(text)][1:]
    found: dict[str, str] = {}
    for start, end in zip(starts, ends, strict=False):
        meaning = text[start.end() : end].strip().rstrip(";")
        found |= dict.fromkeys(start[1].split(", "), meaning)
    return found
