"""Write container images: layers as reproducible tar files, put together as an OCI image layout."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Layer:
    """An uncompressed layer.

    Attributes:
        path: the tar file.
        digest: ``sha256:...`` of that file.
    """

    path: Path
    digest: str

    @property
    def size(self) -> int:
        """Bytes of the tar file."""
        return self.path.stat().st_size


@dataclass(frozen=True)
class Image:
    """Layers, bottom first, and how the image is run."""

    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: str = ""

    def config(self) -> bytes:
        """The image configuration, as JSON."""
        runtime = {
            "Entrypoint": list(self.entrypoint),
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "WorkingDir": self.directory,
            "User": self.user,
        }
        layers = {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]}
        return _json({"architecture": "amd64", "os": "linux", "config": runtime, "rootfs": layers})

    def manifest(self) -> bytes:
        """The image manifest, as JSON; its digest identifies the image and everything in it."""
        config = self.config()
        layers = [_descriptor(LAYER_TYPE, layer.digest, layer.size) for layer in self.layers]
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": _descriptor(CONFIG_TYPE, digest_of(config), len(config)),
                "layers": layers,
            }
        )


def digest_of(content: bytes) -> str:
    """Digest of some bytes as images use it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer_from_file(path: Path) -> Layer:
    """The layer in a tar file, whose digest is kept beside it: hashing 200 MB takes a second each time."""
    note = path.with_suffix(".digest")
    if not note.exists():
        with path.open("rb") as handle:
            note.write_text("sha256:" + hashlib.file_digest(handle, "sha256").hexdigest())
    return Layer(path, note.read_text())


def write_layer(path: Path, files: Iterable[tuple[Path, str]]) -> Layer:
    """Write a tar file of ``(file on disk, absolute name in the image)`` pairs.

    Times and owners are fixed and names sorted, so equal content gives an equal digest wherever it was made.
    """
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        known: set[str] = set()
        for source, name in sorted(files, key=lambda pair: pair[1]):
            for parent in reversed(Path(name.lstrip("/")).parents[:-1]):
                if str(parent) not in known:
                    known.add(str(parent))
                    archive.addfile(_member(str(parent), tarfile.DIRTYPE, 0o755))
            content = source.read_bytes()
            mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
            member = _member(name.lstrip("/"), tarfile.REGTYPE, mode)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return layer_from_file(path)


def write_archive(path: Path, name: str, image: Image, *, present: Container[str] = ()) -> None:
    """Write an OCI archive that ``ctr images import`` reads.

    Args:
        name: full name of the image, with registry and tag.
        present: digests the receiver has already; these layers are left out, which makes a rebuild quick.
    """
    config, manifest = image.config(), image.manifest()
    top = _descriptor(MANIFEST_TYPE, digest_of(manifest), len(manifest))
    top["annotations"] = {"io.containerd.image.name": name}
    index = _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [top]})
    with tarfile.open(path, "w") as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, _blob(digest_of(config)), config)
        _add(archive, _blob(digest_of(manifest)), manifest)
        for layer in image.layers:
            if layer.digest not in present:
                archive.add(layer.path, arcname=_blob(layer.digest))
        _add(archive, "index.json", index)


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    return member


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = _member(name, tarfile.REGTYPE, 0o644)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
