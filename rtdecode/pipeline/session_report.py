"""Pictures and words of a session, from its log into its `report` folder."""

from rtdecode.pipeline.summary import Summary
from rtdecode.session.layout import SessionLayout


def report_session(session: SessionLayout, summary: Summary) -> None:
    """Write the report of `session`."""
    (session.report / "summary.txt").write_text(summary.in_words() + "\n", encoding="utf-8")
