"""Which clips a run's twin was trained on: a score on those would mean nothing."""

import json

from rtdecode.schema.config import RunConfig


def trained_clips(config: RunConfig) -> tuple[str, ...]:
    """Perceptual hashes out of the twin's description; none where there is no twin.

    Read from the JSON alone: the scorer needs no torch.
    """
    if config.decode is None or config.decode.twin is None:
        return ()
    path = config.decode.twin / "twin.json"
    if not path.is_file():
        return ()
    described = json.loads(path.read_text(encoding="utf-8"))
    return tuple(described.get("training_clips", ()))
