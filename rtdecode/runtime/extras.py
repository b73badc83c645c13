"""Packages that the extra `decoder` brings, and the error where one of them is absent.

The computers of microscope and screen do not need them: `pip install rtdecode` leaves them out. The
extra `simulation` has those of the simulated microscope and of the embedded clips alone.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from rtdecode.schema.errors import ExtraMissingError

CLUSTER, DECODER, FOXGLOVE = "cluster", "decoder", "foxglove"
NOTEBOOK, SIMULATION = "notebook", "simulation"
"""Names of the extras."""
DECODER_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "jaxtyping": "jaxtyping",
        "matplotlib": "matplotlib",
        "mcap": "mcap",
        "numba": "numba",
        "safetensors": "safetensors",
        "scipy": "scipy",
        "skimage": "scikit-image",
        "starlette": "starlette",
        "torch": "torch",
        "uvicorn": "uvicorn",
        "websockets": "websockets",
    }
)
"""Package of each module that only the extra brings."""
_OTHER_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "dask_jobqueue": "dask-jobqueue",
        "distributed": "distributed",
        "foxglove_schemas_protobuf": "foxglove-schemas-protobuf",
        "mcap_protobuf": "mcap-protobuf-support",
        "xarray": "xarray",
    }
)
"""The same of the other extras."""


@contextmanager
def missing_extra_named(extra: str = DECODER) -> Iterator[None]:
    """Block whose failed import of a package of the extra becomes an error that advises `extra`.

    Another module that is not found is a mistake of the program, and keeps its trace.

    Raises
    ------
    ExtraMissingError
        If the block imports a package that is not installed, and that the extra brings.

    >>> try:
    ...     with missing_extra_named():
    ...         raise ModuleNotFoundError("No module named 'torch'", name="torch")
    ... except ExtraMissingError as error:
    ...     print(error)
    torch is not installed: run `pip install "rtdecode[decoder]"`
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = {**DECODER_PACKAGES, **_OTHER_PACKAGES}.get(error.name or "")
        if package is None:
            raise
        raise ExtraMissingError(package=package, extra=extra) from error
