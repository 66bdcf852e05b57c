"""An exchange that neither answers nor closes: Ctrl-C still ends the run, and says that nothing could be verified."""

import asyncio
import contextlib
import json
import os
import signal
import time
from pathlib import Path


async def test_ctrl_c_ends_a_run_on_an_exchange_that_hangs(start, children, tmp_path: Path) -> None:
    run = await start("run", "--plugins", "mm", "--plain", "--summary", "s.json")
    await run.until(lambda line: "quoting both sides" in line)
    (exchange,) = children(run.process.pid)
    try:
        os.kill(exchange, signal.SIGSTOP)
        await asyncio.sleep(1.1)  # the run asks for the exchange's status once a second: now that question hangs
        asked = time.monotonic()
        run.send(signal.SIGINT)
        await run.end(20)
        assert time.monotonic() - asked < 10
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(exchange, signal.SIGKILL)
    assert json.loads((tmp_path / "s.json").read_text())["open_orders"] is None, "nobody could say that none rests"
    assert "could not verify" in run.text
