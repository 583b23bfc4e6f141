"""The audit of manifests: every fault that would hurt a training or a test, found and named, none of them the last."""

from spinedet.audit.cohort import audit_cohort
from spinedet.audit.faults import AuditLimits, Fault, Severity
from spinedet.audit.images import SeriesFacts, StudyFacts, examine
from spinedet.audit.manifests import Reading, read_leniently

__all__ = [
    "AuditLimits",
    "Fault",
    "Reading",
    "SeriesFacts",
    "Severity",
    "StudyFacts",
    "audit_cohort",
    "examine",
    "read_leniently",
]
