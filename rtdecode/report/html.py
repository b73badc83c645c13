"""HTML of report pages: one file each, with its pictures inside and nothing loaded from outside."""

import base64
import hashlib
import html
from collections.abc import Sequence

_STYLE = """
:root { color-scheme: light dark; }
body { font: 17px/1.55 "Inter", "Segoe UI", system-ui, "DejaVu Sans", sans-serif; max-width: 62rem;
  margin: 2.5rem auto; padding: 0 1.2rem; background: #f5f4f0; color: #1c2229; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
img { width: 100%; border-radius: 8px; background: white; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .3rem 1.4rem .3rem 0; text-align: right; border-bottom: 1px solid #8884; }
td:first-child, th:first-child { text-align: left; }
th { font-weight: 600; color: #5f6873; }
@media (prefers-color-scheme: dark) {
  body { background: #0b0e13; color: #e6eaf0; } th { color: #8d99a8; }
}
"""


def page(title: str, *, sentences: Sequence[str], parts: Sequence[str]) -> str:
    """HTML document of a title, a paragraph for each sentence, then `parts` (HTML) as they are."""
    text = "\n".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
    name, body = html.escape(title), "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{name}</h1>\n{text}\n{body}\n</body>\n</html>\n"
    )


def _policy() -> str:
    """Content security policy: the style of the page and pictures inside it, and nothing else."""
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; "
        f"form-action 'none'"
    )


def paragraph(text: str) -> str:
    """HTML paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def picture(png: bytes, *, alt: str) -> str:
    """Embed a PNG, with `alt` as its alternative text."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def table(title: str, *, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """HTML table of rows of text under a title; empty where there are none."""
    if not rows:
        return ""
    lines = [_row("th", head), *(_row("td", row) for row in rows)]
    return f"<h2>{html.escape(title)}</h2>\n<table>\n" + "\n".join(lines) + "\n</table>"


def _row(cell: str, texts: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{html.escape(text)}</{cell}>" for text in texts) + "</tr>"
