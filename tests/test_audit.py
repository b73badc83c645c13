"""A known vulnerability fails the audit by name; without an answer it states that, and goes on."""

from collections.abc import Mapping

import audit
import pytest

VERSIONS = {"numpy": "2.0.0", "pyzmq": "26.2.0"}
NUMPY: dict[str, object] = {"name": "numpy", "version": "2.0.0", "vulns": []}
HARM: dict[str, object] = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-7"],
    "fix_versions": ["26.2.1", "27.0"],
}
PYZMQ: dict[str, object] = {"name": "pyzmq", "version": "26.2.0", "vulns": [HARM]}
UNKNOWN: dict[str, object] = {"name": "pyzmq", "skip_reason": "Dependency not found on PyPI"}


def service(*entries: dict[str, object]) -> audit.Ask:
    """Answers with those of `entries` that it is asked for, whichever service is asked."""
    return lambda _service, versions: [entry for entry in entries if entry["name"] in versions]


def silent(service: str, _versions: Mapping[str, str]) -> list[dict[str, object]]:
    raise audit.UnansweredError(f"{service}: no route")


def test_a_known_vulnerability_fails_with_package_number_and_remedy() -> None:
    code, text = audit.report(VERSIONS, {}, ask=service(NUMPY, PYZMQ))
    assert code == 1
    assert "pyzmq 26.2.0: CVE-2026-7, PYSEC-2026-1; install pyzmq 26.2.1" in text


@pytest.mark.parametrize("number", ["PYSEC-2026-1", "CVE-2026-7"])
def test_one_that_does_no_harm_is_ignored_by_any_of_its_numbers(number: str) -> None:
    reasons = audit.ignored(f"# why\n{number}  no such socket here\n")
    assert audit.report(VERSIONS, reasons, ask=service(NUMPY, PYZMQ))[0] == 0


def test_an_ignored_number_needs_a_reason() -> None:
    with pytest.raises(SystemExit, match="CVE-1 needs a reason"):
        audit.ignored("CVE-1\n")


def test_an_ignored_number_that_is_not_found_any_more_can_be_removed() -> None:
    text = audit.report(VERSIONS, {"CVE-1": "old"}, ask=service(NUMPY))[1]
    assert "CVE-1 can be removed" in text


@pytest.mark.parametrize("ask", [silent, service({"name": "numpy", "skip_reason": "not found"})])
def test_without_an_answer_nothing_is_compared_which_is_stated(ask: audit.Ask) -> None:
    code, text = audit.report(VERSIONS, {}, ask=ask)
    assert (code, "NOT DONE" in text, "pypi" in text, "osv" in text) == (0, True, True, True)


def test_the_second_service_is_asked_where_the_first_does_not_answer() -> None:
    def ask(name: str, versions: Mapping[str, str]) -> list[dict[str, object]]:
        return (silent if name == "pypi" else service(NUMPY, PYZMQ))(name, versions)

    assert audit.report(VERSIONS, {}, ask=ask)[0] == 1


def test_a_package_that_the_service_lacks_is_stated() -> None:
    text = audit.report(VERSIONS, {}, ask=service(NUMPY, UNKNOWN))[1]
    assert "1 packages, 0 known vulnerabilities" in text
    assert "not known to the service: pyzmq" in text


def test_every_ignored_vulnerability_of_the_project_has_its_reason() -> None:
    assert all(audit.ignored(audit.IGNORED.read_text(encoding="utf-8")).values())


def test_the_installed_packages_are_asked_for_without_this_project() -> None:
    versions = audit.installed()
    assert audit.PROBE in versions
    assert audit.OWN not in versions
    assert all("+" not in version for version in versions.values())
