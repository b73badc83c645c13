"""Tables of the page's benchmarks in docs/benchmarks.md."""

from typing import Any

from results_as_tables import content, table

_MINUTES = 3
"""From this number of readings on, the first one is left out."""


def load_table() -> str:
    """Late frames with and without a client that watches the Microscope tab."""
    ways = content("page_load")["results"]["ways"]
    head = ["a client watches", "frames", "frames/s", "late, %", "most in 20 s, %", "kB/s"]
    return table(
        head,
        [
            [
                way,
                f"{one['frames']:,}",
                f"{one['frames_a_second']:.1f}",
                f"{one['late_percent']:.2f}",
                f"{one['late_percent_most']:.2f}",
                f"{one['kb_a_second']:.0f}",
            ]
            for way, one in ways.items()
        ],
    )


def drawing_table() -> str:
    """Drawn frames and memory of a browser that shows the tab."""
    head = ["neurons", "fed, scans/s", "drawn, frames/s", "least in 5 s"]
    head += ["processor time of the browser, ms/frame", "heap, MB"]
    head += ["typed arrays, MB", "DOM nodes", "over, s"]
    return table(head, [_drawn(content(name)) for name in ("page_drawing", "page_memory")])


def _drawn(found: dict[str, Any]) -> list[str]:
    figures, memory = found["results"]["figures"], found["results"]["memory"]
    # the pictures of the last minute are kept, so that a long run is compared from then on
    ends = [memory[1 if len(memory) > _MINUTES else 0], memory[-1]]
    return [
        f"{figures['neurons']:,}",
        f"{figures['fed_a_second']:.1f}",
        f"{figures['drawn_a_second']:.1f}",
        f"{figures['drawn_a_second_least']:.1f}",
        f"{figures['cpu_ms_a_frame']:.0f}",
        " to ".join(f"{one['heap_mb']:.2f}" for one in ends),
        " to ".join(f"{one['arrays_mb']:.2f}" for one in ends),
        " to ".join(f"{one['nodes']:.0f}" for one in ends),
        f"{found['config']['seconds']:.0f}",
    ]


def viewers_table() -> str:
    """Processor time of the page by its viewers, of this version and of the one before."""
    found = content("page_viewers")["results"]
    head = [
        "viewers",
        "version",
        "of a core, %",
        "pictures/s each",
        "kB/s each",
        "µs a picture each",
    ]
    names = {"other": "before", "here": "now"}
    return table(
        head,
        [
            [
                f"{row['viewers']:.0f}",
                names[name],
                f"{row['core_percent']:.1f}",
                f"{row['pictures_a_second']:.1f}" if row["viewers"] else "–",
                f"{row['kb_a_second']:.0f}" if row["viewers"] else "–",
                f"{row['us_a_picture']:.0f}" if row["viewers"] else "–",
            ]
            for rows in zip(*(found[name] for name in names if name in found), strict=True)
            for name, row in zip((n for n in names if n in found), rows, strict=True)
        ],
    )


TABLES = {
    "page_load": load_table,
    "page_drawing": drawing_table,
    "page_viewers": viewers_table,
}
