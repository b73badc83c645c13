"""Which trials are of a tier."""

from collections.abc import Mapping
from pathlib import Path

from rtdecode.schema.errors import NoSuchTierError


def numbers_of(tier: str, tiers: Mapping[int, str], *, folder: Path) -> tuple[int, ...]:
    """Numbers of the trials of `tier`, in order.

    Parameters
    ----------
    tiers
        Tier of each trial, by its number.
    folder
        Where they are recorded.

    Raises
    ------
    NoSuchTierError
        If there is no such trial, naming the tiers that there are.
    """
    found = tuple(sorted(number for number, name in tiers.items() if name == tier))
    if not found:
        raise NoSuchTierError(folder=folder, tier=tier, tiers=sorted(set(tiers.values())))
    return found
