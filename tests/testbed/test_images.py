"""Images as bytes: equal content gives an equal digest, and containerd finds what the manifest names."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile

import pytest

from testbed import images, oci


def layer(directory, name, content="hello"):
    directory.mkdir(exist_ok=True)
    source = directory / "source"
    source.write_text(content)
    return oci.write_layer(directory / f"{name}.tar", [(source, "/app/package/file.py")])


def test_digest_depends_on_content_but_not_on_time_or_place(tmp_path):
    first = layer(tmp_path / "a", "one")
    os.utime(tmp_path / "a" / "source", (1, 1))
    second = layer(tmp_path / "b", "two")
    third = layer(tmp_path / "c", "three", "other")
    assert first.digest == second.digest
    assert first.digest != third.digest
    assert first.digest == "sha256:" + hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_layer_holds_directories_before_files_and_keeps_the_executable_bit(tmp_path):
    program, text = tmp_path / "program", tmp_path / "text"
    for path in (program, text):
        path.write_text("x")
    program.chmod(0o700)
    written = oci.write_layer(tmp_path / "layer.tar", [(text, "/app/b/text"), (program, "/app/a/program")])
    with tarfile.open(written.path) as archive:
        members = {member.name: member for member in archive}
    assert list(members) == ["app", "app/a", "app/a/program", "app/b", "app/b/text"]
    assert members["app/a/program"].mode == 0o755
    assert members["app/b/text"].mode == 0o644
    assert all((member.uid, member.mtime) == (0, 0) for member in members.values())


def archive_names(path):
    with tarfile.open(path) as archive:
        return archive.getnames()


def test_archive_is_a_complete_oci_layout(tmp_path):
    image = oci.Image((layer(tmp_path / "a", "one"), layer(tmp_path / "b", "two", "other")), entrypoint=("run",))
    oci.write_archive(tmp_path / "image.tar", "docker.io/library/x:1", image)
    with tarfile.open(tmp_path / "image.tar") as archive:
        blobs = {m.name: archive.extractfile(m).read() for m in archive if m.name.startswith("blobs/")}
        index = json.load(archive.extractfile("index.json"))
    assert all(hashlib.sha256(content).hexdigest() == name.rpartition("/")[2] for name, content in blobs.items())
    top = index["manifests"][0]
    assert top["annotations"]["io.containerd.image.name"] == "docker.io/library/x:1"
    manifest = json.loads(blobs[f"blobs/sha256/{top['digest'][7:]}"])
    config = json.loads(blobs[f"blobs/sha256/{manifest['config']['digest'][7:]}"])
    assert config["rootfs"]["diff_ids"] == [entry["digest"] for entry in manifest["layers"]]
    assert all(f"blobs/sha256/{entry['digest'][7:]}" in blobs for entry in manifest["layers"])
    assert config["config"]["Entrypoint"] == ["run"]


def test_layers_the_receiver_has_are_left_out(tmp_path):
    base, top = layer(tmp_path / "a", "one"), layer(tmp_path / "b", "two", "other")
    image = oci.Image((base, top), entrypoint=("run",))
    oci.write_archive(tmp_path / "image.tar", "x:1", image, present={base.digest})
    names = archive_names(tmp_path / "image.tar")
    assert f"blobs/sha256/{base.digest[7:]}" not in names
    assert f"blobs/sha256/{top.digest[7:]}" in names


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("order-consumer:dev", "docker.io/library/order-consumer:dev"),
        ("team/order-consumer:1", "docker.io/team/order-consumer:1"),
        ("registry.example:5000/order:1", "registry.example:5000/order:1"),
        ("localhost/order:1", "localhost/order:1"),
    ],
)
def test_names_are_completed_as_kubernetes_does(given, full):
    assert images.full_name(given) == full


@pytest.mark.parametrize("name", ["order-consumer", "registry.example:5000/order", ":1"])
def test_a_name_without_a_tag_is_refused(name):
    with pytest.raises(images.ImageError, match="tag"):
        images.full_name(name)


def test_a_context_without_requirements_is_refused(tmp_path):
    with pytest.raises(images.ImageError, match=r"requirements\.txt"):
        images.consumer_image(tmp_path, tmp_path)
