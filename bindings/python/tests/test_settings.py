"""Settings from a file."""

from pathlib import Path

import p2pchan
import pytest
from conftest import run
from p2pchan import sync


def test_settings_come_from_a_file_and_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"

    async def test() -> None:
        file.write_text('listen = "tcp://127.0.0.1:0"\nlimits.waiting = 3\n', encoding="utf-8")
        async with p2pchan.Node(settings_file=file, limits={"dials": 5}) as node:
            assert node.addresses and node._native.most_waiting() == 3
            file.write_text("limits.waiting = 4\nlimits.dials = 6\n", encoding="utf-8")
            await node.reload()
            assert node.addresses == [] and node._native.most_waiting() == 4
            # What the program has set stays above it.
            assert node.status()["limits"]["dials"]["cap"] == 5
            file.write_text("limits.waiting = 'many'\n", encoding="utf-8")
            with pytest.raises(p2pchan.SettingsError, match="limits.waiting"):
                await node.reload()
            assert node._native.most_waiting() == 4

    run(test)
    with pytest.raises(p2pchan.NetworkError, match="nowhere"):
        p2pchan.Node(settings_file=tmp_path / "nowhere.toml")
    file.write_text("limits.dials = 8\n", encoding="utf-8")
    with sync.Node(settings_file=str(file), limits={"waiting": 7}) as node:
        assert node.status()["limits"]["dials"]["cap"] == 8
        file.write_text("limits.dials = 9\n", encoding="utf-8")
        node.reload()
        assert node.status()["limits"]["dials"]["cap"] == 9
