"""The policies of rtdecode, by the names that `control.policy` takes."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from rtdecode.control.policies.adaptive_parameter import AdaptiveParameter
from rtdecode.control.policies.comparisons import OpenLoop, Sham
from rtdecode.control.policies.hardest_next import HardestNext
from rtdecode.control.policies.show_back import ShowBack
from rtdecode.control.policies.template_match import TemplateMatch
from rtdecode.control.policies.threshold import Threshold
from rtdecode.control.policy import Policy

POLICIES: Mapping[str, Callable[..., Policy]] = MappingProxyType(
    {
        "threshold": Threshold,
        "template_match": TemplateMatch,
        "show_back": ShowBack,
        "hardest_next": HardestNext,
        "adaptive_parameter": AdaptiveParameter,
        "sham": Sham,
        "open_loop": OpenLoop,
    }
)
"""Class of each policy by its name; each takes a `PolicySetting` and its options as keywords."""

__all__ = ["POLICIES"]
