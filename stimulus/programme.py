"""The movie of a config: the user's videos or the embedded clips, without end."""

from collections.abc import Iterator

from rtdecode.schema.config.stimulus import StimulusConfig
from stimulus.clips import Split, embedded_clips
from stimulus.schedule import MovieFrame, movie, shuffled_rounds
from stimulus.videos import video_files, video_frames


def programme(config: StimulusConfig) -> Iterator[MovieFrame]:
    """Frames to be shown; the same config gives the same ones.

    Raises ClipError at once for videos that are missing, empty or broken from the start.
    """
    if config.clips is None:
        return _embedded(config)
    files = video_files(config.clips)
    screen = (config.rows_px, config.cols_px)
    return movie(
        shuffled_rounds(files, seed=config.seed),
        lambda file: (file.name, video_frames(file, screen=screen, rate_hz=config.frame_rate_hz)),
    )


def _embedded(config: StimulusConfig) -> Iterator[MovieFrame]:
    clips = tuple(
        embedded_clips(
            Split.SHOW, count=config.embedded_clips, seconds=config.clip_s, seed=config.seed
        )
    )
    ordered = shuffled_rounds(clips, seed=config.seed)
    return movie(ordered, lambda clip: (clip.name, clip.frames))
