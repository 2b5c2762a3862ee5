# Says as JSON what is installed for this interpreter. Imports nothing but the standard library.
import sys

if sys.version_info < (3, 8):
    sys.exit("it is Python %d.%d, and 3.8 is the oldest that can be asked" % sys.version_info[:2])

import os

# The directory that Python was started in is not where the command's script is. And nothing that is not of the standard
# library may stand before it while this imports.
added = {os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)}
everywhere = [entry for entry in sys.path if entry]
sys.path[:] = [entry for entry in everywhere if os.path.abspath(entry) not in added]

import json
import platform
from importlib import metadata

# Whoever writes WHEEL as the wheel had it. Other package managers build their own.
INSTALLERS = ("pip", "uv", "poetry", "pdm", "installer", "rye", "hatch")


def from_wheel(distribution):
    installer = (distribution.read_text("INSTALLER") or "").strip().lower()
    direct = json.loads(distribution.read_text("direct_url.json") or "{}")
    return installer.startswith(INSTALLERS) and "dir_info" not in direct and "vcs_info" not in direct


def describe(distribution):
    wheel = distribution.read_text("WHEEL") if from_wheel(distribution) else ""
    fields = [line.partition(":") for line in (wheel or "").splitlines()]
    tags = [value.strip() for field, _, value in fields if field == "Tag"]
    return {"name": distribution.metadata["Name"], "version": distribution.version, "tags": tags}


def executable():
    try:
        sys.executable.encode("utf-8")
    except Exception:
        return ""  # JSON has no way to write it.
    return sys.executable


packages = []
for distribution in metadata.distributions(path=everywhere):
    try:
        package = describe(distribution)
    except Exception:
        continue  # The remains of a package that was removed.
    if isinstance(package["name"], str) and isinstance(package["version"], str):
        packages.append(package)

answer = {
    "executable": executable() or "",
    "version": platform.python_version(),
    "implementation": platform.python_implementation(),
    "packages": packages,
}
# Whatever runs at the start may have written something too.
os.write(1, b"\nmodel-signing-python:")
data = json.dumps(answer).encode("ascii")
while data:
    data = data[os.write(1, data) :]
