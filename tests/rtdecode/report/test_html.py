"""Report pages are one file, and text in them is escaped."""

import base64
import hashlib
from html.parser import HTMLParser

from rtdecode.report import html


class Balance(HTMLParser):
    """Notes the elements that were opened and never closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_is_well_formed_and_escaped() -> None:
    table = html.table("T", head=["name", "v"], rows=[["<a>", "1"]])
    figure = html.figure(b"PNG", alt='a "b"', caption="<c>")
    section = html.section("A part & more", figure, table, html.paragraph("1 < 2"))
    text = html.page("<x>", lead="it <y>", parts=[section, html.folded("open", "a: <b>")])
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    assert "<title>&lt;x&gt;</title>" in text
    assert "1 &lt; 2" in text
    assert "<td>&lt;a&gt;</td><td>1</td>" in text
    assert "base64,UE5H" in text
    assert '<a href="#a-part-more">A part &amp; more</a>' in text
    assert all(one in text for one in ("&lt;c&gt;", "it &lt;y&gt;", "a: &lt;b&gt;"))


def test_a_section_without_parts_is_nothing() -> None:
    assert html.section("S", "", html.table("T", head=["a"], rows=[])) == ""


def test_a_page_permits_its_own_style_and_pictures_alone() -> None:
    text = html.page("t", parts=[])
    style = text.partition("<style>")[2].partition("</style>")[0].encode()
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    policy = text.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    assert "http://" not in text
    assert "https://" not in text


def test_a_table_without_rows_is_nothing() -> None:
    assert html.table("T", head=["a"], rows=[]) == ""
