"""A run, as a commented YAML file says it; read by `runtime.config_file`."""

from rtdecode.schema.config.run import RunConfig

__all__ = ["RunConfig"]
