"""A real SLURM on the loopback: munged, slurmctld and two slurmd as child processes, up in a quarter of a second.

Debian's eight packages (3.4 MB) are unpacked below a folder and not installed: an ``srun`` in /usr/bin would make
Lightning warn in every run of the machine. Needs apt-get that reaches the packages. The nodes have 32 CPUs and 4 GPUs
on paper, so that the scripts' own lines stand; a job says ``--trainer.accelerator cpu``.
"""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.warm import SECONDS

PACKAGES = [
    "munge",
    "libmunge2",
    "slurmctld",
    "slurmd",
    "slurm-client",
    "slurm-wlm-basic-plugins",
    "libhwloc15",
    "liblua5.1-0",
]
NODES = ("127.0.0.1", "127.0.0.2")  # names that have an address without /etc/hosts
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
CONF = """\
ClusterName=dive
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
PluginDir={plugins}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
KillWait=30
ReturnToService=2
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=127.0.0.[1-2] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[{ports[1]},{ports[2]}] CPUs=32 Gres=gpu:4
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def unpack(prefix: Path) -> str:
    """Puts SLURM's files below ``prefix``; returns why it cannot, or an empty text."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return "no apt-get or dpkg here"
    debs = prefix / "debs"
    debs.mkdir(parents=True)
    for words in (["apt-get", "update", "-qq"], ["apt-get", "download", "-qq", *PACKAGES]):
        done = subprocess.run(words, cwd=debs, capture_output=True, text=True)
    if done.returncode:
        return "apt-get reaches no SLURM: " + (done.stderr.strip().splitlines() or ["?"])[-1]
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, prefix], check=True)
    for name in ("slurmctld", "slurmd", "slurmstepd"):  # under the name slurmctld-wlm it would know no GPUs
        (prefix / "usr/sbin" / name).unlink(missing_ok=True)
        (prefix / "usr/sbin" / name).symlink_to(f"{name}-wlm")
    return ""


class Slurm:
    """A cluster of two nodes.

    Args:
        folder: For keys, state and logs.
        prefix: Where ``unpack`` put the files.
    """

    def __init__(self, folder: Path, prefix: Path) -> None:
        self.folder, self.prefix = folder, prefix
        self.processes: list[subprocess.Popen[bytes]] = []
        lib = next(prefix.glob("usr/lib/*/slurm-wlm")).parent
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "SRUN", "SBATCH"))}
        self.env = clean | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{prefix}/usr/bin:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": f"{lib}:{lib}/slurm-wlm",
        }
        (folder / "state").mkdir(parents=True)
        (folder / "munge.key").touch(0o600)
        (folder / "munge.key").write_bytes(os.urandom(128))
        values = {"ports": free_ports(3), "user": getpass.getuser(), "plugins": lib / "slurm-wlm"}
        (folder / "slurm.conf").write_text(CONF.format(folder=folder, **values))
        (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-3]\n")  # empty files serve
        for k in range(4):
            (folder / f"gpu{k}").touch()

    def __enter__(self) -> "Slurm":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        here, sbin = self.folder, self.prefix / "usr/sbin"
        files = (
            "key-file=munge.key",
            "socket=munge.socket",
            "pid-file=munged.pid",
            "log-file=munged.log",
            "seed-file=seed",
        )
        options = [f"--{key}={here}/{name}" for key, name in (file.split("=") for file in files)]
        self.spawn(sbin / "munged", "--foreground", "--force", *options)
        self.until((here / "munge.socket").exists)
        self.spawn(sbin / "slurmctld", "-D", "-f", here / "slurm.conf")
        self.until(lambda: self.run("scontrol", "ping").returncode == 0)
        for node in NODES:
            self.spawn(sbin / "slurmd", "-D", "-N", node, "-f", here / "slurm.conf", "-d", sbin / "slurmstepd")
        self.until(lambda: self.run("sinfo", "-hNo", "%T").stdout.split() == ["idle"] * len(NODES))

    def stop(self) -> None:
        if len(self.processes) > 1:
            self.run("scancel", "--user", getpass.getuser())
            end = time.monotonic() + 10
            while self.run("squeue", "-h").stdout.strip() and time.monotonic() < end:
                time.sleep(0.1)
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def spawn(self, *words: object) -> None:
        with open(self.folder / f"daemon{len(self.processes)}.log", "wb") as log:
            daemon = subprocess.Popen([*map(str, words)], stdout=log, stderr=log, env=self.env, start_new_session=True)
        self.processes.append(daemon)

    def until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not done():
            dead = [process.args for process in self.processes if process.poll() is not None]
            assert not dead and time.monotonic() < end, f"{dead or 'no reply'}: see {self.folder}/daemon*.log"
            time.sleep(0.02)

    def run(self, *words: object, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*map(str, words)], env=self.env | env, capture_output=True, text=True)

    def sbatch(self, *words: object, **env: str) -> str:
        """Submits a job and returns its number."""
        done = self.run("sbatch", "--parsable", *words, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def facts(self, job: str) -> dict[str, str]:
        """JobState, Restarts, ExitCode, Reason and more of a job."""
        words = self.run("scontrol", "-o", "show", "job", job).stdout.split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def wait(self, job: str, *states: str) -> dict[str, str]:
        """Waits until a job has one of the states; returns its facts."""
        end = time.monotonic() + SECONDS
        while (facts := self.facts(job))["JobState"] not in states:
            assert time.monotonic() < end, facts
            time.sleep(0.1)
        return facts


def free_ports(count: int) -> list[int]:
    servers = [socket.socket() for _ in range(count)]
    for server in servers:
        server.bind(("127.0.0.1", 0))
    ports = [int(server.getsockname()[1]) for server in servers]
    for server in servers:
        server.close()
    return ports
