"""What people do, and what is done about people. Each in one transaction, with its event."""

from contractors.services.people import (
    activate,
    decline,
    make_offer,
    register_contractor,
    rename,
    sign_in,
    start_interview,
    start_quiz,
)
from contractors.services.policies import create_policy, default_policy, publish_policy_version
from contractors.services.residences import declare_residence
from contractors.services.restrictions import (
    appeal,
    decide_appeal,
    end_restrictions,
    lift,
    restrict,
)

__all__ = [
    "activate",
    "appeal",
    "create_policy",
    "decide_appeal",
    "declare_residence",
    "decline",
    "default_policy",
    "end_restrictions",
    "lift",
    "make_offer",
    "publish_policy_version",
    "register_contractor",
    "rename",
    "restrict",
    "sign_in",
    "start_interview",
    "start_quiz",
]
