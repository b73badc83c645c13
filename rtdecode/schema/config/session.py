"""Recording, scoring, the page, and where the processes meet."""

from pathlib import Path

from rtdecode.schema.config.section import Count, Index, NotNegative, Positive, Section


class RecordConfig(Section):
    """The session folder and its log."""

    folder: Path = Path("sessions")
    flush_s: Positive = 1.0
    queue_messages: Count = 2000
    permitted_loss: Index = 0
    min_free_mb: NotNegative = 200.0


class EvaluateConfig(Section):
    """The live score."""

    window_s: Positive = 10.0
    period_s: Positive = 1.0
    warm_up_s: NotNegative = 2.0
    mask: Path | None = None


class ViewConfig(Section):
    """The web page; port 0 lets the system choose."""

    host: str = "127.0.0.1"
    port: Index = 0


class NetworkConfig(Section):
    """Endpoints of the processes; empty ones are made in a private folder of this run."""

    control: str = ""
    recorder: str = ""
    bridge: str = ""
    stimulus: str = ""
    decoder: str = ""
    emit: str = ""
    evaluate: str = ""
