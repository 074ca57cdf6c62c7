"""Workers in a Ray cluster that runs, and clusters that cannot be used."""

import asyncio
import os
import signal
from functools import cache
from pathlib import Path

import pytest

from raykit import Heard, RayCluster, until
from umwelten.errors import UmweltenError, UsageError
from umwelten.fleet.ray_address import connection_error, token_note
from umwelten.fleet.ray_carrier import RayCarrier


def refused(
    address: str, workers: int = 1, join_s: float = 60.0, maker: str = "ray_echo:Echo"
) -> UmweltenError:
    """Return why workers cannot be had there."""

    async def run() -> None:
        carrier = RayCarrier(address, workers, maker=maker, join_s=join_s)
        try:
            await carrier.open(Heard())
        finally:
            await carrier.close(0.0)

    with pytest.raises(UmweltenError) as caught:
        asyncio.run(run())
    assert caught.value.exit_code == 2
    return caught.value


@pytest.fixture
def connected(ray_cluster: RayCluster, monkeypatch: pytest.MonkeyPatch) -> RayCluster:
    for name, value in ray_cluster.variables.items():
        monkeypatch.setenv(name, value)
    return ray_cluster


def test_workers_are_on_all_nodes_and_are_replaced_where_they_die(
    connected: RayCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        heard = Heard()
        carrier = RayCarrier(connected.address, 4, maker="ray_echo:Echo")
        await carrier.open(heard)
        try:
            assert sorted(heard.joined) == [1, 2, 3, 4]
            assert len({place.node for place in heard.joined.values()}) == 2
            large = b"y" * 2_000_000
            for worker in heard.joined:
                carrier.ship(worker, "b", large)
            await until(lambda: all(heard.words(worker) == [large] for worker in heard.joined))
            os.kill(heard.joined[2].pid, signal.SIGKILL)
            await until(lambda: 5 in heard.joined)
            assert list(heard.left) == [2]
        finally:
            await carrier.close(0.0)

    asyncio.run(run())
    assert "".join(capfd.readouterr()) == ""


def test_a_cluster_without_room_says_how_much_there_is(
    connected: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another one runs on this machine, as Ray sees, but not the one that is named there.
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", cache(lambda: {"127.0.0.1:1"}))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(connected.address)
    error = refused("auto", workers=9, join_s=1.0)
    assert "of 9 workers could start" in error.message
    assert "4 CPUs" in error.message
    assert "Lower workers" in str(error.hint)


def test_a_worker_that_cannot_be_made_says_why(connected: RayCluster) -> None:
    error = refused(connected.address, maker="no_such_module:Worker")
    assert "no_such_module" in error.message
    assert "umwelten[ray]==" in str(error.hint)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:1", "no Ray cluster can be reached at 127.0.0.1:1"),
        ("somewhere", "no address of a Ray cluster"),
        ("ray://127.0.0.1:10001", "no address of a Ray cluster"),
        ("127.0.0.1:70000", "no address of a Ray cluster"),
    ],
)
def test_addresses_where_no_cluster_is(address: str, says: str) -> None:
    assert says in refused(address).message


def test_the_cluster_of_this_machine_is_looked_for_as_ray_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert isinstance(error := refused("auto"), UsageError)
    assert "no Ray cluster was started" in error.message
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")  # it has ended
    assert "127.0.0.1:1" in refused("auto").message
    if os.getuid() == 0:
        os.chown(tmp_path / "ray", 65534, -1)
        assert "another user" in refused("auto").message
    monkeypatch.setenv("RAY_ADDRESS", "ray://there:10001")
    assert "RAY_ADDRESS" in refused("auto").message


def test_other_releases_are_named() -> None:
    error = connection_error("head:6379", RuntimeError("Version mismatch: Ray: 2.50.0\n  Python: 3.12.1"))
    assert error.message.endswith("Version mismatch: Ray: 2.50.0 Python: 3.12.1")
    assert "same Python" in str(error.hint)


def test_a_cluster_without_a_token_is_noted_beyond_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    assert "asks for no token" in token_note("10.0.0.1:6379")
    assert token_note("127.0.0.1:6379") == ""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert token_note("10.0.0.1:6379") == ""
