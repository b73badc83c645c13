"""Compare the installed packages with the known vulnerabilities: a step of `make test`.

    python requirements/audit.py

A package with a known vulnerability ends the step with exit code 1 and the name of both, unless
`requirements/audit-ignored.txt` has the vulnerability with a reason. Without an answer of PyPI or
OSV, as on a machine without network, nothing is compared: that is printed, and is no failure.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

IGNORED = Path(__file__).with_name("audit-ignored.txt")
SERVICES = ("pypi", "osv")
PROBE = "numpy"
"""A package that every service knows, for a first question about it alone."""
OWN = "rtdecode"
_TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class Found:
    """One known vulnerability of an installed package."""

    package: str
    version: str
    names: frozenset[str]
    """Its number, and its numbers in other lists."""
    fixed_in: tuple[str, ...]

    def sentence(self) -> str:
        """What it is, and what to do."""
        remedy = (
            f"install {self.package} {self.fixed_in[0]}" if self.fixed_in else "no fix is known"
        )
        return f"{self.package} {self.version}: {', '.join(sorted(self.names))}; {remedy}"


class UnansweredError(Exception):
    """No service states what is known of the packages."""


Ask = Callable[[str, Mapping[str, str]], list[dict[str, object]]]
"""What a service states of packages, by name and version."""


def asked(service: str, versions: Mapping[str, str]) -> list[dict[str, object]]:
    """Entries of pip-audit for `versions`; UnansweredError where it could not ask."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.writelines(f"{name}=={version}\n" for name, version in versions.items())
        file.flush()
        argv = [sys.executable, "-m", "pip_audit", "--format", "json", "--no-deps"]
        argv += ["--disable-pip", "--progress-spinner", "off", "--timeout", str(_TIMEOUT_S)]
        argv += ["--vulnerability-service", service, "--requirement", file.name]
        told = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        entries: list[dict[str, object]] = json.loads(told.stdout)["dependencies"]
    except ValueError as error:
        last = (told.stderr.strip().splitlines() or ["no answer"])[-1]
        raise UnansweredError(f"{service}: {last:.150}") from error
    return entries


def audited(versions: Mapping[str, str], *, ask: Ask) -> tuple[list[Found], list[str]]:
    """Known vulnerabilities of `versions`, and the names of packages that the service lacks.

    Raises
    ------
    UnansweredError
        If no service answers a question about one package.
    """
    causes = []
    for service in SERVICES:
        try:
            probe = ask(service, {PROBE: versions[PROBE]})
            if any("skip_reason" in entry for entry in probe):
                raise UnansweredError(f"{service}: it states nothing of {PROBE}")
            return _sorted(ask(service, versions))
        except UnansweredError as error:
            causes.append(str(error))
    raise UnansweredError("; ".join(causes))


def _sorted(entries: Sequence[dict[str, object]]) -> tuple[list[Found], list[str]]:
    unknown = [str(entry["name"]) for entry in entries if "skip_reason" in entry]
    return list(_found(entries)), unknown


def _found(entries: Sequence[dict[str, object]]) -> Iterator[Found]:
    for entry in entries:
        listed = entry.get("vulns", [])
        for one in listed if isinstance(listed, list) else []:
            names = frozenset([one["id"], *one.get("aliases", [])])
            fixed = tuple(one.get("fix_versions", []))
            yield Found(str(entry["name"]), str(entry["version"]), names, fixed)


def ignored(text: str) -> dict[str, str]:
    """Reasons by vulnerability: a line is its number, blanks, and why it does no harm here."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    parts = [line.split(maxsplit=1) for line in lines if line]
    without = [one[0] for one in parts if len(one) == 1]
    if without:
        raise SystemExit(f"{IGNORED.name}: {', '.join(without)} needs a reason behind its number")
    return {one[0]: one[1] for one in parts}


def installed() -> dict[str, str]:
    """Versions of all packages of this environment but rtdecode, without local parts as +cpu."""
    found = {one.metadata["Name"]: one.version.partition("+")[0] for one in distributions()}
    return {name: version for name, version in sorted(found.items()) if name != OWN}


def report(versions: Mapping[str, str], reasons: Mapping[str, str], *, ask: Ask) -> tuple[int, str]:
    """Exit code of the step, and what it prints."""
    try:
        found, unknown = audited(versions, ask=ask)
    except UnansweredError as error:
        return 0, f"audit: NOT DONE, known vulnerabilities could not be asked for ({error})"
    harmful = [one for one in found if not one.names & set(reasons)]
    known = {name for one in found for name in one.names}
    lines = [one.sentence() for one in harmful]
    lines += [f"not known to the service: {', '.join(unknown)}"] if unknown else []
    lines += [f"{IGNORED.name}: {old} can be removed" for old in sorted(set(reasons) - known)]
    count = f"audit: {len(versions) - len(unknown)} packages, {len(harmful)} known vulnerabilities"
    return (1 if harmful else 0), "\n".join([count, *lines])


def main() -> None:
    """Audit this environment."""
    code, text = report(installed(), ignored(IGNORED.read_text(encoding="utf-8")), ask=asked)
    print(text)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
