"""What a file really is, for messages about model files that are something else."""

from __future__ import annotations

from pathlib import Path

_MAGIC = (
    (b"PK\x03\x04", "a zip archive, such as a PyTorch checkpoint; export it to ONNX first"),
    (b"version https://git-lfs", "a Git LFS pointer; run git lfs pull"),
    (b"\x80\x02", "a Python pickle, such as an old PyTorch checkpoint; export it to ONNX first"),
    (b"ftrt", "a TensorRT engine; give the ONNX file it was built from"),
    (b"ptrt", "a TensorRT engine; give the ONNX file it was built from"),
    (b"ORTM", "an ONNX Runtime model; give the ONNX file it was converted from"),
    (b"\x89HDF", "an HDF5 file, such as a Keras model; export it to ONNX first"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"<?xml", "an XML file, such as an OpenVINO model; give the ONNX file it was converted from"),
    (b"<", "a web page; download the file itself"),
)


def describe_file(path: Path) -> str:
    """Say what a file holds, by its first bytes.

    Args:
        path: A file that exists.

    Returns:
        A phrase for an error message, with a remedy where one is known.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return "an empty file"
    for magic, meaning in _MAGIC:
        if head.startswith(magic):
            return meaning
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model; give an ONNX file"
    if head[0] == 0x08:  # the protobuf tag of an ONNX model's first field, its IR version
        return "an ONNX file that is cut short, damaged, or too new for it"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return f"text that begins {head[:24].decode('ascii')!r}"
    return f"{path.stat().st_size} bytes that begin {head[:8].hex(' ')}"
