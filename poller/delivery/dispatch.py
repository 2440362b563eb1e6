"""All couriers of the daemon: one thread per channel, so that a broken channel never holds up another."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from alerts.channels._base import Channel
from poller.delivery.courier import GROUP_WAIT, ChannelStatus, Courier
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from store import outbox, outcomes
from store.engine import Database

DRAIN = 20.0  # seconds a send under way is given at the end


class Dispatcher:
    """All couriers of the daemon."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        progress: Progress,
        failpoint: Failpoints,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._make = {
            "database": database,
            "clock": clock,
            "progress": progress,
            "failpoint": failpoint,
            "redact": redact,
        }
        self._database = database
        self._clock = clock
        self._couriers: dict[str, Courier] = {}
        self._leaving: list[Courier] = []  # their channel is gone or replaced; a send may be under way

    def recover(self) -> int:
        """Give orphaned sends back to the outbox, marked ambiguous. Only for the holder of the lock, at start."""
        return self._database.transact(outcomes.recover)

    def use(self, channels: Mapping[str, Channel], *, group_wait: timedelta = GROUP_WAIT) -> None:
        """Deliver through exactly these channels from now on; the ones already in use go on undisturbed.

        `group_wait`: how long what follows a message waits for company.
        """
        for name, courier in list(self._couriers.items()):
            courier.manner = replace(courier.manner, group_wait=group_wait)
            if not courier.serves(channels.get(name)):
                courier.stop()
                self._leaving = [each for each in self._leaving if not each.join(0)]
                self._leaving.append(self._couriers.pop(name))
        for name, channel in channels.items():
            if name not in self._couriers:
                courier = Courier(channel, group_wait=group_wait, **self._make)  # type: ignore[arg-type]
                self._couriers[name] = courier
                courier.start()

    def wake(self, names: frozenset[str]) -> None:
        """These channels have something new."""
        for name in names & self._couriers.keys():
            self._couriers[name].wake()

    def wake_all(self) -> None:
        """Look again at everything, for instance after the clock was set."""
        self.wake(frozenset(self._couriers))

    def clock_jumped(self) -> None:
        """What waits was planned for another time: it is due now. What a server asked for, the couriers still keep."""
        now = self._clock.now()
        self._database.transact(lambda session: outbox.bring_forward(session, now, now))
        self.wake_all()

    def statuses(self) -> dict[str, ChannelStatus]:
        """How each channel is."""
        return {name: courier.status for name, courier in self._couriers.items()}

    def drain(self) -> bool:
        """Let the sends under way finish within 20 s; False when one did not."""
        everyone = [*self._couriers.values(), *self._leaving]
        for courier in everyone:
            courier.stop()
        end = self._clock.monotonic() + DRAIN
        late = [courier for courier in everyone if not courier.join(max(0.0, end - self._clock.monotonic()))]
        return not late
