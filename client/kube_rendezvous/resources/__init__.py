"""Typed views of the custom resources, and the only place that knows their JSON.

Everything inside the operator's core and the client works on these frozen dataclasses; raw dictionaries are
parsed here, once, at the border (design: parse at the border, be typed inside).
"""

from kube_rendezvous.resources.member import MalformedMemberError, Member, member_manifest, parse_member
from kube_rendezvous.resources.names import (
    API_VERSION,
    GROUP,
    MEMBER_KIND,
    MEMBER_PLURAL,
    RENDEZVOUS_KIND,
    RENDEZVOUS_PLURAL,
    SLICE_KIND,
    SLICE_PLURAL,
    SPOKEN_VERSIONS,
    VERSION,
)
from kube_rendezvous.resources.ranking_spec import LabelSelector, Operator, Ranking, Requirement
from kube_rendezvous.resources.rendezvous import (
    LARGEST_WORLD,
    MOST_NAMED_IN_STATUS,
    BootstrapStore,
    Closed,
    Condition,
    Forming,
    LateJoiners,
    PastRound,
    Question,
    RefusedMember,
    Rendezvous,
    RendezvousSpec,
    RendezvousStatus,
    Reopen,
    SlicedAssignment,
    State,
)
from kube_rendezvous.resources.rendezvous_json import parse_rendezvous, spec_to_json, status_to_json

__all__ = [
    "API_VERSION",
    "GROUP",
    "LARGEST_WORLD",
    "MEMBER_KIND",
    "MEMBER_PLURAL",
    "MOST_NAMED_IN_STATUS",
    "RENDEZVOUS_KIND",
    "RENDEZVOUS_PLURAL",
    "SLICE_KIND",
    "SLICE_PLURAL",
    "SPOKEN_VERSIONS",
    "VERSION",
    "BootstrapStore",
    "Closed",
    "Condition",
    "Forming",
    "LabelSelector",
    "LateJoiners",
    "MalformedMemberError",
    "Member",
    "Operator",
    "PastRound",
    "Question",
    "Ranking",
    "RefusedMember",
    "Rendezvous",
    "RendezvousSpec",
    "RendezvousStatus",
    "Reopen",
    "Requirement",
    "SlicedAssignment",
    "State",
    "member_manifest",
    "parse_member",
    "parse_rendezvous",
    "spec_to_json",
    "status_to_json",
]
