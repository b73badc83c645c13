"""Makes the policy that a config names: one of rtdecode, or a class in the user's Python file.

Each way in which that can fail has its own sentence, which `rtdecode check` prints too. The file is
executed to find its class, as Python imports a module.
"""

import inspect
import sys
import traceback
from collections.abc import Callable
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from rtdecode.control.policies import POLICIES
from rtdecode.control.policy import Policy, PolicySetting
from rtdecode.schema.config.control import PolicyConfig
from rtdecode.schema.errors import (
    BadInputError,
    PolicyFileError,
    PolicyInterfaceError,
    PolicyOptionsError,
    UnknownPolicyError,
)

_MODULE = "rtdecode_user_policy"
_HASH_DIGITS = 16


def policy_name(config: PolicyConfig) -> str:
    """Name of the policy in actions and events."""
    return config.name or config.class_name


def policy_hash(config: PolicyConfig) -> str:
    """First 16 hex digits of the SHA-256 of the policy's file; empty for one of rtdecode."""
    if config.file is None:
        return ""
    return sha256(config.file.read_bytes()).hexdigest()[:_HASH_DIGITS]


def policy_class(config: PolicyConfig) -> Callable[..., Policy]:
    """The class of the policy.

    Raises
    ------
    UnknownPolicyError, PolicyFileError, PolicyInterfaceError
        If there is no such name, file or class, or it has no `decide`.
    """
    if config.file is None:
        if config.name not in POLICIES:
            raise UnknownPolicyError(name=config.name, known=sorted(POLICIES))
        return POLICIES[config.name]
    found: Any = getattr(_module(config.file), config.class_name, None)
    if not isinstance(found, type):
        got = "has no class" if found is None else "has another object named"
        raise PolicyFileError(
            path=config.file,
            got=f"it {got} {config.class_name}",
            remedy="give the name of the class as control.policy.class",
        )
    if not callable(getattr(found, "decide", None)):
        raise PolicyInterfaceError(policy=config.class_name, got="has no method decide")
    return cast(Callable[..., Policy], found)


def single_policy(path: Path) -> PolicyConfig:
    """The policy of a Python file with one class that has a method `decide`.

    Raises
    ------
    PolicyFileError
        If there is no such file, it fails, or it has another number of such classes.
    """
    module = _module(path)
    found = [
        name
        for name, one in vars(module).items()
        if isinstance(one, type) and one.__module__ == module.__name__ and hasattr(one, "decide")
    ]
    if len(found) != 1:
        listed = ", ".join(found) or "none"
        raise PolicyFileError(
            path=path,
            got=f"one class with a method decide is expected, got {listed}",
            remedy="give a YAML file with file and class instead",
        )
    return PolicyConfig(file=path, class_name=found[0])


def made_policy(config: PolicyConfig, setting: PolicySetting) -> Policy:
    """The policy, made with `setting` and its options.

    Raises
    ------
    UnknownPolicyError, PolicyFileError, PolicyInterfaceError
        As `policy_class`.
    PolicyOptionsError
        If its constructor takes other options, or fails with these.
    BadInputError
        If a policy of rtdecode cannot use the value of an option, or a file that it names.
    """
    found, name = policy_class(config), policy_name(config)
    taken = _taken(found)
    try:
        inspect.signature(found).bind(setting, **config.options)
    except TypeError as error:
        raise PolicyOptionsError(policy=name, got=str(error), taken=taken) from error
    try:
        return found(setting, **config.options)
    except BadInputError:
        raise
    except (Exception, SystemExit) as error:
        got = f"{type(error).__name__}: {error}"
        raise PolicyOptionsError(policy=name, got=f"{got:.300}", taken=taken) from error


def _taken(found: Callable[..., Policy]) -> str:
    """The options that a policy takes, each with its default; the first argument is none."""
    options = [*inspect.signature(found).parameters.values()][1:]
    return ", ".join(str(one.replace(annotation=inspect.Parameter.empty)) for one in options)


def _module(path: Path) -> ModuleType:
    """The module at `path`, executed anew."""
    if not path.is_file():
        remedy = "give the Python file of the policy, relative to the config"
        raise PolicyFileError(path=path, got="there is no such file", remedy=remedy)
    spec = spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None:
        raise PolicyFileError(path=path, got="its name does not end in .py", remedy="rename it")
    module = module_from_spec(spec)
    # dataclasses look their module up by its name
    sys.modules[_MODULE] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise PolicyFileError(
            path=path,
            got=f"reading it raised {type(error).__name__}: {error}{_line(error, path)}",
            remedy="correct the file",
        ) from error
    return module


def _line(error: BaseException, path: Path) -> str:
    """The line of `path` at which `error` was raised; empty where it is not in a line of it."""
    if isinstance(error, SyntaxError):
        return ""
    frames: list[Any] = traceback.extract_tb(error.__traceback__)
    lines = [one.lineno for one in frames if one.filename == str(path)]
    return f" (line {lines[-1]})" if lines else ""
