"""Carries out what the controller sends: commands to the stimulus, triggers through the outputs."""

from collections.abc import Iterator

from rtdecode.runtime.command_link import CommandSender
from rtdecode.runtime.outputs import Outputs
from rtdecode.schema.control import Action, ActionName, Delivery
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event

NOT_CARRIED = "action_not_carried_out"
"""Code of the alarm of an action that did not leave the controller."""


class ActionCarrier:
    """Carries out actions without waiting for their effects.

    Parameters
    ----------
    sender
        The command link to the stimulus; None in a run without a stimulus.
    outputs
        The outputs of the config.
    """

    def __init__(self, sender: CommandSender | None, outputs: Outputs, *, clock: Clock) -> None:
        self._sender, self._outputs, self._clock = sender, outputs, clock
        self._problems: list[Delivery | Event] = []

    def carry(self, action: Action) -> None:
        """Send one action; what prevents that is given by `effects`."""
        if not ActionName(action.name).is_for_stimulus:
            self._fire(action)
        elif self._sender is None:
            self.refuse(action, "this run has no stimulus")
        elif not self._sender.send(action):
            self.refuse(action, f"the stimulus has not answered {len(self._sender)} commands")

    def refuse(self, action: Action, why: str) -> None:
        """State by an alarm that `action` is not carried out."""
        text = f"a {action.name} was not carried out: {why}"
        self._problems.append(Event("alarm", "controller", NOT_CARRIED, text))

    def withdraw(self) -> None:
        """Withdraw what has had no effect yet, as far as it can still be reached."""
        self._outputs.withdraw()
        if self._sender is not None:
            self._sender.withdraw()

    def effects(self) -> Iterator[Delivery | Event]:
        """Deliveries of outputs, and events of what was not carried out, since the last call."""
        problems, self._problems = self._problems, []
        yield from problems
        yield from self._outputs.deliveries()
        if self._sender is not None:
            # the results are recorded by the stimulus, and the policy observes those
            self._sender.take()
            yield from self._sender.events()

    def _fire(self, action: Action) -> None:
        if action.target in self._outputs:
            self._outputs.fire(action)
            return
        error = f"control.outputs has no output named '{action.target}'"
        now_ns = self._clock.now_ns()
        self._problems.append(Delivery(action.number, action.target, now_ns, 0.0, error))
