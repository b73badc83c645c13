"""An absent package of an extra is named with the command that installs it."""

from importlib.metadata import packages_distributions
from typing import Any

import base_install
import pytest

from rtdecode.runtime.extras import (
    DECODER,
    DECODER_PACKAGES,
    SIMULATION,
    missing_extra_named,
)
from rtdecode.schema.errors import ExtraMissingError


def extras() -> Any:
    return base_install.project()["optional-dependencies"]


def names(requirements: Any) -> set[str]:
    return {base_install.Requirement(one).name for one in requirements}


def test_every_package_of_the_extra_is_known_by_its_module() -> None:
    assert set(DECODER_PACKAGES.values()) == names(extras()[DECODER])
    owners = packages_distributions()
    assert {module: owners[module] for module in DECODER_PACKAGES} == {
        module: [package] for module, package in DECODER_PACKAGES.items()
    }


def test_the_simulation_needs_a_part_of_what_the_decoder_needs() -> None:
    assert set(extras()[SIMULATION]) < set(extras()[DECODER])


def test_a_base_install_has_none_of_them() -> None:
    assert set(DECODER_PACKAGES) <= base_install.hidden_modules()


def test_the_advice_names_the_extra_in_quotes_that_every_shell_knows() -> None:
    advice = r'^numba is not installed: run `pip install "rtdecode\[simulation\]"`$'
    with pytest.raises(ExtraMissingError, match=advice), missing_extra_named(SIMULATION):
        raise ModuleNotFoundError("No module named 'numba'", name="numba")


@pytest.mark.parametrize("name", ["rtdecode.commands.nowhere", "torch.nowhere", None])
def test_a_mistake_of_the_program_keeps_its_trace(name: str | None) -> None:
    with pytest.raises(ModuleNotFoundError, match="no such"), missing_extra_named():
        raise ModuleNotFoundError("no such", name=name)
