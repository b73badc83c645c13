"""Summary, figures and pages of a recorded session."""
