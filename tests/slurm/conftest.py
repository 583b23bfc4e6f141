"""A Slurm of our own on this machine, with everything it writes in one temporary folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue")
CONFIG = """ClusterName=local
SlurmctldHost={host}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ReturnToService=2
MpiDefault=none
NodeName={host} CPUs={cores} State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
STATE = ("/usr/bin/env", "sinfo", "-h", "-o", "%t")


def why_not() -> str | None:
    """Why there can be no Slurm here; None when there can."""
    if os.environ.get("SPINEDET_SLURM") != "1":
        return "SPINEDET_SLURM is not 1 (make test-slurm sets it)"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not found; on Debian: apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "the scheduler's daemons need to be started by root"


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which commands reach the scheduler."""
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("slurm")
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "OMP_NUM_THREADS": "1"}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for words in daemons(folder):
            started.append(
                subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            )
            time.sleep(1)
        wait_for_the_node(environment)
        yield environment
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=30)


def daemons(folder: Path) -> list[list[str]]:
    """Command lines that stay in the foreground, after everything they need was written."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    folder.chmod(0o755)
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    words = {"host": socket.gethostname(), "ports": free_ports(2), "cores": os.cpu_count(), "folder": folder}
    (folder / "slurm.conf").write_text(CONFIG.format(**words))
    names = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munge.pid"}
    names |= {"log-file": "munge.log", "seed-file": "munge.seed"}
    munge = [f"--{name}={folder / file}" for name, file in names.items()]
    return [["munged", "--foreground", "--force", *munge], ["slurmctld", "-D"], ["slurmd", "-D"]]


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def wait_for_the_node(environment: dict[str, str]) -> None:
    for _ in range(60):
        told = subprocess.run(STATE, env=environment, capture_output=True, text=True, check=False)
        if told.stdout.strip() == "idle":
            return
        time.sleep(1)
    pytest.skip(f"the scheduler does not come up here: {told.stdout}{told.stderr}")
