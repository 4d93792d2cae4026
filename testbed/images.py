"""The images of the bed: the pause image, a Debian root with Python, and consumers built on top of it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from testbed import cache, containers, oci
from testbed.processes import run

SUITE = "bookworm"
BASE_PACKAGES = "python3,ca-certificates"
# Nobody reads manuals inside a pod; without them the image is a third smaller.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*")
PAUSE_PROGRAM = Path("/usr/bin/catatonit")
PAUSE_NAME = "testbed.invalid/pause:1"
BASE_NAME = "testbed.invalid/base:1"
APPLICATION = "/app"
PACKAGES = f"{APPLICATION}/site-packages"
# Debian 12's C library satisfies both; some wheels come for the newer one only.
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64")
PYTHON = "3.11"


class ImageError(Exception):
    """An image cannot be built from what was given."""


def root_key() -> str:
    """Cache key of the root file system."""
    return cache.key(SUITE, BASE_PACKAGES, *EXCLUDED)


def root_layer() -> oci.Layer:
    """The Debian root file system with Python, made by mmdebstrap when it is not cached yet."""

    def build(directory: Path) -> None:
        excludes = [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
        options: list[str | Path] = [
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            f"--include={BASE_PACKAGES}",
            *excludes,
        ]
        sources = directory / "sources.list"
        sources.write_text(_apt_sources())
        # No device files: the container runtime makes its own.
        options += [*_apt_options(), "--skip=output/dev"]
        run(["mmdebstrap", *options, SUITE, directory / "layer.tar", sources], timeout=900)
        oci.layer_from_file(directory / "layer.tar")

    return oci.layer_from_file(cache.entry("root", root_key(), build) / "layer.tar")


def _apt_sources() -> str:
    """The Debian archives this machine uses itself, as one-line entries, so that mirrors are respected."""
    fields = "$(CREATED_BY)|$(REPO_URI)|$(CODENAME)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
    lines = set()
    for line in run(["apt-get", "indextargets", "--format", fields]).splitlines():
        kind, uri, codename, release, component, origin = line.split("|")
        if kind == "Packages" and component == "main" and codename.startswith(SUITE) and origin.startswith("Debian"):
            lines.add(f"deb {uri} {release} main\n")
    if not lines:
        raise ImageError(
            f"apt knows no archive of Debian {SUITE}; run apt-get update and look at /etc/apt/sources.list"
        )
    return "".join(sorted(lines))


def _apt_options() -> list[str]:
    """Proxy and certificate settings of this machine's apt."""
    wanted = ("Acquire::http", "Acquire::https")
    lines = run(["apt-config", "dump"]).splitlines()
    return [f"--aptopt={line}" for line in lines if line.startswith(wanted) and not line.endswith('"";')]


def pause_image() -> oci.Image:
    """An image with one static program that waits."""

    def build(directory: Path) -> None:
        oci.write_layer(directory / "layer.tar", [(PAUSE_PROGRAM, "/pause")])

    layer = oci.layer_from_file(cache.entry("pause", cache.key(PAUSE_PROGRAM), build) / "layer.tar")
    return oci.Image((layer,), entrypoint=("/pause", "-P"))


def base_image() -> oci.Image:
    """The root file system as an image of its own; consumers share its layer."""
    return oci.Image((root_layer(),), entrypoint=("python3",), environment=_environment())


def consumer_image(context: Path, scratch: Path) -> oci.Image:
    """An image that runs ``python3 -m bgconsumer``.

    Args:
        context: directory with ``requirements.txt`` and the sources.
        scratch: directory for the layer of sources, which is not worth caching.
    """
    requirements = context / "requirements.txt"
    if not requirements.is_file():
        raise ImageError(f"{requirements} does not exist; the directory must hold requirements.txt and the sources")
    sources = [(path, f"{APPLICATION}/{path.relative_to(context).as_posix()}") for path in cache.source_files(context)]
    layer = oci.write_layer(scratch / "sources.tar", sources)
    return oci.Image(
        (root_layer(), packages_layer(requirements), layer),
        entrypoint=("python3", "-m", "bgconsumer"),
        environment=_environment(),
        directory=APPLICATION,
        user="65532:65532",
    )


def packages_layer(requirements: Path) -> oci.Layer:
    """The Python packages of a requirements file as wheels for Debian 12's Python, whatever Python runs this."""

    def build(directory: Path) -> None:
        target = directory / "packages"
        platforms = [f"--platform={platform}" for platform in PLATFORMS]
        only = [f"--python-version={PYTHON}", "--implementation=cp", "--only-binary=:all:", "--no-compile"]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", f"--target={target}", *platforms, *only]
        run([*pip, f"--requirement={requirements}"], timeout=600)
        # Byte code that is never checked against its source's time, which the layer does not keep.
        options = ["-q", "--invalidation-mode=unchecked-hash", f"-s{target}", f"-p{PACKAGES}"]
        run([sys.executable, "-m", "compileall", *options, target], timeout=300)
        files = [(path, f"{PACKAGES}/{path.relative_to(target)}") for path in target.rglob("*") if path.is_file()]
        oci.write_layer(directory / "layer.tar", files)
        shutil.rmtree(target)

    platforms = ",".join(PLATFORMS)
    return oci.layer_from_file(
        cache.entry("packages", cache.key(requirements, platforms, PYTHON, PACKAGES), build) / "layer.tar"
    )


def build_and_import(context: Path, name: str, report: Callable[[str], None]) -> bool:
    """Build a consumer image and give it to the bed; return whether anything had to be imported."""
    with tempfile.TemporaryDirectory(prefix="testbed-image-") as scratch:
        image = consumer_image(context.resolve(), Path(scratch))
        return import_image(full_name(name), image, report)


def import_image(name: str, image: oci.Image, report: Callable[[str], None]) -> bool:
    """Give an image to the bed's containerd unless exactly this one is there already.

    Args:
        name: full name with registry and tag.
        report: called with a line of progress.
    """
    digest = oci.digest_of(image.manifest())
    if imported_digest(name) == digest:
        report(f"image {name} is already there ({digest[:19]})")
        return False
    present = set(containers.ctr("content", "list", "--quiet").split())
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        oci.write_archive(Path(archive.name), name, image, present=present)
        containers.ctr("images", "import", archive.name, timeout=180)
    if imported_digest(name) != digest:
        raise ImageError(f"containerd imported {name} but does not list it as {digest}")
    report(f"image {name} imported ({digest[:19]})")
    return True


def imported_digest(name: str) -> str | None:
    """Digest of an image in the bed's containerd, or None."""
    for line in containers.ctr("images", "list", f"name=={name}").splitlines()[1:]:
        return line.split()[2]
    return None


def full_name(name: str) -> str:
    """Complete an image name as Kubernetes does: ``order-consumer:1`` is ``docker.io/library/order-consumer:1``."""
    repository, separator, tag = name.rpartition(":")
    if not separator or "/" in tag or not repository:
        raise ImageError(f"{name!r} has no tag; name the image as name:tag")
    first, slash, _ = repository.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def _environment() -> dict[str, str]:
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": f"{APPLICATION}:{PACKAGES}",
        "PYTHONUNBUFFERED": "1",
    }
