"""Table of the effects of the policies, for `doc_tables.py`."""

from collections.abc import Mapping
from typing import Any

from results_as_tables import result, table

_ROWS = {
    "hardest_next": "video r of the chosen clips (lower)",
    "threshold": "hit rate − false-alarm rate for a known template",
    "template_match": "presentations whose clip was identified",
    "show_back": "similarity to the response to the original; beside it sham",
    "adaptive_parameter": "distance of video r from its target, a presentation (lower)",
}


def _interval(figure: Mapping[str, Any]) -> str:
    return f"{figure['mean']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def policies_table() -> str:
    """Each policy's figure, that of open loop or sham, and their difference."""
    found = result("policies")
    rows = [
        [
            f"`{policy}`",
            measure,
            *(_interval(found[policy][name]) for name in ("closed", "open", "effect")),
        ]
        for policy, measure in _ROWS.items()
    ]
    head = ("policy", "measure", "closed loop", "open loop or sham", "difference")
    return table(head, rows)


TABLES = {"policies": policies_table}
