"""The StreamMonitor resource: its models, the rules on it, and the definition made from them.

monitor.py    the resource, and how one is read: `parse_monitor`
spec.py       what it asks for          status.py    what is known of it
addresses.py  which addresses           detectors.py settings of detectors
checks.py     rules between fields      profiles.py  from a specification to a plan
problems.py   mistakes in words         crd.py       the CustomResourceDefinition
"""

from streammonitor_api.resource.monitor import (
    API_VERSION,
    GROUP,
    KIND,
    PLURAL,
    VERSION,
    Metadata,
    StreamMonitor,
    parse_monitor,
)
from streammonitor_api.resource.problems import Problem, ResourceError
from streammonitor_api.resource.profiles import plan_of
from streammonitor_api.resource.spec import (
    Alertmanager,
    Analysis,
    MonitorSpec,
    NotifyTarget,
    Reference,
    SecretKeyReference,
    SecretReference,
    Stream,
    Webhook,
)
from streammonitor_api.resource.status import (
    Condition,
    IncidentSummary,
    MonitorStatus,
    OpenIncident,
    StreamCounts,
)

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "PLURAL",
    "VERSION",
    "Alertmanager",
    "Analysis",
    "Condition",
    "IncidentSummary",
    "Metadata",
    "MonitorSpec",
    "MonitorStatus",
    "NotifyTarget",
    "OpenIncident",
    "Problem",
    "Reference",
    "ResourceError",
    "SecretKeyReference",
    "SecretReference",
    "Stream",
    "StreamCounts",
    "StreamMonitor",
    "Webhook",
    "parse_monitor",
    "plan_of",
]
