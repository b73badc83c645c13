"""HTML of report pages: one file each, with its pictures inside and nothing loaded from outside."""

import base64
import hashlib
import html
import re
from collections.abc import Sequence

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2229; --soft: #525b65; --ground: #f7f6f2;
  --card: #ffffff; --line: #d5d2c9; --good: #1d6b3a; --warn: #7a5200; }
* { box-sizing: border-box; }
body { font: 16px/1.55 "Inter", "Segoe UI", system-ui, "DejaVu Sans", sans-serif;
  max-width: 60rem; margin: 2rem auto; padding: 0 1.2rem; background: var(--ground);
  color: var(--ink); }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .35rem 0; overflow-wrap: anywhere; }
.lead { color: var(--soft); font-size: 1.05rem; }
.answer { background: var(--card); border-left: 5px solid var(--soft); padding: .6rem .9rem;
  margin: .9rem 0; }
.answer.yes { border-color: var(--good); } .answer.no { border-color: var(--warn); }
.missing { color: var(--soft); font-style: italic; }
nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; }
a { color: #1a5a94; }
figure { margin: 1rem 0; }
figure img { width: 100%; height: auto; background: white; border: 1px solid var(--line);
  border-radius: 4px; }
figcaption { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0;
  font-size: .93rem; }
caption { text-align: left; font-weight: 600; padding: .2rem 0 .4rem; }
td, th { padding: .28rem 1.3rem .28rem 0; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
td:first-child, th:first-child, .text td, .text th { text-align: left; }
.text td { white-space: pre-line; max-width: 36rem; }
th { font-weight: 600; color: var(--soft); }
pre { background: var(--card); border: 1px solid var(--line); padding: .8rem; overflow-x: auto;
  font-size: .8rem; line-height: 1.4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #a9b4c2; --ground: #0d1117; --card: #161c25; --line: #333c48;
    --good: #56c17a; --warn: #e0a83c; }
  a { color: #79b8ff; }
}
@media print {
  :root { --ink: #000; --soft: #333; --ground: #fff; --card: #fff; --line: #bbb; }
  body { max-width: none; margin: 0; font-size: 10pt; }
  nav { display: none; }
  figure, tr, .answer { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  .wide, pre { overflow: visible; } pre { white-space: pre-wrap; }
  details > summary { display: none; }
}
"""


def page(title: str, *, parts: Sequence[str], lead: str = "") -> str:
    """HTML document of a title, a line below it, links to its sections, and `parts` as they are."""
    name, body = html.escape(title), "\n".join(parts)
    below = f'<p class="lead">{html.escape(lead)}</p>' if lead else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{_STYLE}</style></head>\n"
        f"<body><header><h1>{name}</h1>{below}</header>\n{_contents(body)}"
        f"<main>\n{body}\n</main></body>\n</html>\n"
    )


def _policy() -> str:
    """Content security policy: the style of the page and pictures inside it, and nothing else."""
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; "
        f"form-action 'none'"
    )


def _contents(body: str) -> str:
    found = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body)
    if not found:
        return ""
    items = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in found)
    return f'<nav aria-label="Sections"><ol>{items}</ol></nav>\n'


def section(title: str, *parts: str) -> str:
    """A section under a heading; empty where all its parts are."""
    content = "\n".join(filter(None, parts))
    if not content:
        return ""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return (
        f'<section aria-labelledby="{name}"><h2 id="{name}">{html.escape(title)}</h2>\n'
        f"{content}\n</section>"
    )


def paragraph(text: str) -> str:
    """HTML paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def marked(text: str, kind: str) -> str:
    """A paragraph of one of the kinds of the style: lead, answer, missing."""
    return f'<p class="{kind}">{html.escape(text)}</p>'


def missing(what: str) -> str:
    """States what a report does not show, and why."""
    return marked(what, "missing")


def picture(png: bytes, *, alt: str) -> str:
    """Embed a PNG, with `alt` as its alternative text."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def figure(png: bytes, *, alt: str, caption: str) -> str:
    """Embed a PNG with a caption below it."""
    below = html.escape(caption)
    return f"<figure>{picture(png, alt=alt)}\n<figcaption>{below}</figcaption></figure>"


def folded(title: str, text: str) -> str:
    """Text of many lines under a line that opens it; printed in full."""
    shown = f'<pre tabindex="0">{html.escape(text)}</pre>'
    return f"<details><summary>{html.escape(title)}</summary>{shown}</details>"


def table(
    title: str,
    *,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    of_text: bool = False,
    captioned: bool = True,
) -> str:
    """HTML table of rows of text; empty where there are none.

    Columns beyond the first are aligned to the right, as numbers are, unless the table is one of
    text. A table that is all of its section has no caption, as the heading names it.
    """
    if not rows:
        return ""
    cells = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in head)
    lines = "\n".join(map(_row, rows))
    name, kind = html.escape(title), ' class="text"' if of_text else ""
    caption = f"<caption>{name}</caption>" if captioned else ""
    return (
        f'<div class="wide" role="region" aria-label="{name}" tabindex="0"><table{kind}>'
        f"{caption}\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{lines}\n"
        f"</tbody></table></div>"
    )


def _row(texts: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in texts) + "</tr>"
