"""All ZeroMQ endpoints that a config gives, those of rig programs and outputs included."""

from collections.abc import Iterator

from rtdecode.schema.config.acquisition import ZmqNativeSource
from rtdecode.schema.config.outputs import ZmqOutput
from rtdecode.schema.config.run import RunConfig


def endpoints(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Option and address of each endpoint that the config gives."""
    for name, address in config.network.endpoints().items():
        if address:
            yield f"network.{name}", address
    yield from source_endpoints(config)
    yield from output_endpoints(config)


def source_endpoints(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Option and address at which the bridge receives from a rig program."""
    if isinstance(config.acquisition.source, ZmqNativeSource):
        yield "acquisition.source.address", config.acquisition.source.address


def output_endpoints(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Option and address at which the controller publishes each trigger over ZeroMQ."""
    for output in config.control.outputs if config.control else ():
        if isinstance(output, ZmqOutput):
            yield f"control.outputs.{output.name}.endpoint", output.endpoint
