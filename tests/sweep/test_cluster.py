"""A Dask cluster that cannot be had, or is not as it should be, is said to be so; with TLS every end has its files."""

import sys

import pytest

from sim.errors import ChipcastError, RefusedError
from sim.sweep import handshake
from sim.sweep.cluster import LOOPBACK, Cluster, _flags, _security, on_worker
from sim.sweep.task import Task
from sim.sweep.tls import Tls

distributed = pytest.importorskip("distributed", reason="EXTRA=test,distributed ./go pytest brings Dask")
dask = pytest.importorskip("dask")

TLS = Tls("ca.pem", "cert.pem", "key.pem")


@pytest.fixture
def threaded():
    """A cluster within this process whose only worker takes two tasks at a time."""
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        host=LOOPBACK,
        dashboard_address=f"{LOOPBACK}:0",
        worker_dashboard_address=f"{LOOPBACK}:0",
    ) as cluster:
        yield cluster.scheduler_address


def test_enter__without_dask_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RefusedError, match=r"chipcast\[distributed\]"), Cluster(None, 2, "cpu"):
        pass


def test_enter__nobody_at_the_address_is_said_at_once():
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.3s"}),
        pytest.raises(ChipcastError, match=r"tcp://127\.0\.0\.1:1") as caught,
        Cluster(f"tcp://{LOOPBACK}:1", 1, "cpu"),
    ):
        pass
    assert caught.value.code == "sweep-scheduler"


def test_hello__a_worker_of_two_threads_is_refused(threaded):
    with Cluster(threaded, 1, "cpu") as cluster, pytest.raises(RefusedError, match="--nthreads 1") as caught:
        cluster.hello()
    assert caught.value.code == "sweep-threads"


def test_on_worker__one_that_came_later_and_is_unlike_the_others_does_nothing(monkeypatch):
    monkeypatch.setattr("sim.sweep.task.do", lambda *_: pytest.fail("done"))
    given = Task("a", ("base",), None, {}, 0, 512, "mc", (), False, "cpu", "runs", "digest")
    told = on_worker(given._asdict(), handshake.hello("cpu") | {"stream_version": -1}, "cpu")
    assert told["code"] == "sweep-handshake"
    assert "stream_version" in told["message"]


def test_security__every_end_has_its_files_and_none_goes_without():
    made = distributed.Security(**_security(TLS))
    assert made.require_encryption
    for role in ("client", "scheduler", "worker"):
        told = made.get_tls_config_for_role(role)
        assert (told["ca_file"], told["cert"], told["key"]) == TLS
    assert not distributed.Security(**_security(None)).require_encryption
    assert (_flags(None), _flags(TLS)) == ([], ["--tls-ca-file=ca.pem", "--tls-cert=cert.pem", "--tls-key=key.pem"])
