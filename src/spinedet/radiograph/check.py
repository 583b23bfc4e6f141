"""`python -m spinedet.radiograph.check data.manifests=[...]`: every fault of radiographs, and a contact sheet."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.radiograph.cohort_settings import RadiographAuditLimits, RadiographData


@dataclass
class RadiographCheckConfig(CommonConfig):
    """An audit of radiographs.

    Attributes:
        data: the manifests. limits: beyond which the audit warns.
        pictures: images on the contact sheet, those with faults first; 0 for none.
        reading: also write reading.html, a page on which a person labels every image that can be read, without seeing
            labels or boxes; its export is a file of readings.
    """

    data: RadiographData = field(default_factory=RadiographData)
    limits: RadiographAuditLimits = field(default_factory=RadiographAuditLimits)
    pictures: int = 400
    reading: bool = False


def main() -> None:
    """Entry point."""
    register(RadiographCheckConfig, "radiograph.check")
    run_command("radiograph.check", "spinedet.radiograph.commands.check:check")


if __name__ == "__main__":
    run_as_script("radiograph.check")
