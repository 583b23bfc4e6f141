"""`python -m spinedet.check data.manifests=[...]`: every fault of the manifests and their images, on one page."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinedet.audit.faults import AuditLimits
from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig


@dataclass
class CheckedData:
    """Which manifests are checked; they are taken together, as the other commands would take them.

    Attributes:
        manifests: manifest files.
    """

    manifests: list[str] = field(default_factory=list)


@dataclass
class CheckConfig(CommonConfig):
    """An audit.

    Attributes:
        data: the manifests. limits: beyond which the audit warns.
        pictures: draw every series of every study with its boxes.
    """

    data: CheckedData = field(default_factory=CheckedData)
    limits: AuditLimits = field(default_factory=AuditLimits)
    pictures: bool = True


def main() -> None:
    """Entry point."""
    register(CheckConfig, "check")
    run_command("check", "spinedet.commands.check:check")


if __name__ == "__main__":
    run_as_script("check")
