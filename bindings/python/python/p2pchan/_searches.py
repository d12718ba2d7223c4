"""Discovery services whose methods are coroutine functions, or generate addresses one by one."""

import asyncio
from collections.abc import AsyncIterable, Coroutine
from typing import Any

from ._discovery import GivenUp, Services, check_addresses
from ._errors import RefusedError

# Coroutines of a node that have not ended, and as many of functions that were given to `on`: more than a
# program has in mind.
CALLS = 4096


class Searches:
    """What the services of a node are doing: a task for each request. It does not keep the node."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def take(self, request: int, name: str, verb: str, result: Any) -> bool:
        """Runs what a service has returned to its end, if that takes time; whether it does."""
        if not isinstance(result, Coroutine) and not isinstance(result, AsyncIterable):
            return False
        if len(self._tasks) >= CALLS:
            # They were cancelled, and go on all the same.
            if isinstance(result, Coroutine):
                result.close()
            raise RefusedError(f"{CALLS} calls of discovery services have not ended")
        task = asyncio.ensure_future(self._finish(request, name, verb, result))
        self._tasks[request] = task
        task.add_done_callback(lambda _: self._tasks.pop(request, None))
        return True

    def cancel(self, request: int) -> None:
        task = self._tasks.get(request)
        if task is not None:
            task.cancel()

    def cancel_all(self) -> None:
        for request in list(self._tasks):
            self.cancel(request)

    async def _finish(self, request: int, name: str, verb: str, result: Any) -> None:
        services = self._services
        try:
            if isinstance(result, Coroutine):
                result = await result
            if verb == "look_up":
                await self._found_all(request, result)
        except GivenUp:
            pass
        except Exception as error:
            services.failed(request, name, verb, error)
        except asyncio.CancelledError:
            # By the program itself, if the node still waits.
            services.done(request, ("CLOSED", f"{verb} was cancelled"))
            raise
        else:
            services.done(request, None)

    async def _found_all(self, request: int, addresses: Any) -> None:
        if not isinstance(addresses, AsyncIterable):
            return self._services.found_all(request, check_addresses(addresses))
        wrong = None
        async for address in addresses:
            wrong = self._services.found(request, address) or wrong
        if wrong is not None:
            raise wrong
