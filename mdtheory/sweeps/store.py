"""Finished chunks of a sweep in a directory, so that a sweep that was killed goes on where it was.

Every chunk is one small netCDF file (the classic format, which SciPy writes and every netCDF tool reads), complete or
absent: it is written under another name, and renamed once it is on the disk. A digest of its contents tells a damaged
file, which is then computed again. A manifest says which sweep the directory belongs to.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation import strict_json
from mdtheory.foundation.errors import AssumptionError
from mdtheory.sweeps.axes import Axis
from mdtheory.sweeps.chunks import Chunk
from mdtheory.sweeps.fingerprint import digest

_MANIFEST = "manifest.json"
_FORMAT = 1


class Store:
    """The directory of one sweep, held by one process at a time.

    Parameters
    ----------
    directory : Path
        Created if need be.
    identity : mapping
        Descriptions of what the sweep computes, by name: whatever its numbers depend on.

    Raises
    ------
    AssumptionError
        If the directory holds another sweep, or something else, or is in use.
    """

    def __init__(self, directory: Path, identity: Mapping[str, Any]) -> None:
        self._directory = directory
        if directory.exists() and not directory.is_dir():
            raise _refused(directory, "is a file; give a directory")
        directory.mkdir(parents=True, exist_ok=True)
        others = [path.name for path in directory.iterdir() if not _ours(path.name)]
        if others:
            raise _refused(
                directory, f"holds other files, for example {others[0]}; give a directory for this sweep alone"
            )
        self._key = digest(dict(identity))
        self._lock = _locked(directory)
        try:
            self._check(identity)
        except BaseException:
            self.close()
            raise
        for leftover in directory.glob("*.part"):
            leftover.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others use the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def load(self, number: int, shape: tuple[int, ...], names: tuple[str, ...]) -> Chunk | None:
        """The chunk of that number; None if it is missing or damaged."""
        try:
            return _decode(self._path(number).read_bytes(), shape, names, self._seal(number))
        except OSError:
            return None

    def save(self, number: int, chunk: Chunk, axes: tuple[Axis, ...]) -> None:
        """Write a chunk, complete or not at all."""
        _write(self._path(number), _encode(chunk, axes, self._seal(number)))

    def _seal(self, number: int) -> str:
        """Part of the digest of a chunk, so that a file of another sweep or another chunk is not taken for it."""
        return f"{self._key} {number}"

    def _path(self, number: int) -> Path:
        return self._directory / f"chunk-{number:06d}.nc"

    def _check(self, identity: Mapping[str, Any]) -> None:
        digests = {name: digest(value) for name, value in identity.items()}
        manifest = self._directory / _MANIFEST
        record = {"format": _FORMAT, "digests": digests, "sweep": dict(identity)}
        chunks = any(self._directory.glob("chunk-*.nc"))
        if not manifest.exists():
            if chunks:
                raise _refused(self._directory, f"holds chunks without their {_MANIFEST}")
            _write(manifest, json.dumps(record, indent=1).encode())
            return
        try:
            found = strict_json.read(manifest, constants=True)
            known, kind = found["digests"], found["format"]
            different = [name for name in {**digests, **known} if digests.get(name) != known.get(name)]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _refused(self._directory, f"its {_MANIFEST} cannot be read") from None
        if not chunks:  # a sweep that ended before its first chunk: nothing is lost
            _write(manifest, json.dumps(record, indent=1).encode())
        elif kind != _FORMAT or different:
            listing = ", ".join(different) or "format"
            raise _refused(self._directory, f"holds another sweep (other {listing}); give another directory")


def _refused(directory: Path, why: str) -> AssumptionError:
    return AssumptionError(f"store = {str(directory)!r}: {why}")


def _ours(name: str) -> bool:
    return name in (_MANIFEST, "lock") or name.endswith(".part") or (name.startswith("chunk-") and name.endswith(".nc"))


def _locked(directory: Path) -> int | None:
    """A lock that the system releases when the process ends, however it ends; none where there is no such thing."""
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # Unlike flock's, this lock is not inherited by the processes of a pool, which may outlive their parent.
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(handle)
        raise _refused(directory, "is in use by another sweep") from None
    except OSError:  # a file system without locks
        os.close(handle)
        return None
    return handle


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def _encode(chunk: Chunk, axes: tuple[Axis, ...], seal: str) -> bytes:
    from scipy.io import netcdf_file

    buffer = BytesIO()
    file: Any = netcdf_file(buffer, "w", version=2)  # its attributes are those of the file
    names = tuple(axis.name for axis in axes)
    for axis in axes:
        file.createDimension(axis.name, axis.size)
        if axis.coordinate.dtype.kind in "if":
            variable = file.createVariable(axis.name, np.float64, (axis.name,))
            variable[:] = axis.coordinate
        else:
            setattr(file, f"{axis.name}_labels", "; ".join(map(str, axis.coordinate)))
    arrays: dict[str, NDArray[Any]] = {**chunk.values, "status": chunk.status}
    for name, values in arrays.items():
        variable = file.createVariable(name, values.dtype, names)
        variable[...] = values
    file.reasons = json.dumps(chunk.reasons)
    file.digest = _content_digest(chunk, seal)
    file.flush()
    return buffer.getvalue()


def _decode(data: bytes, shape: tuple[int, ...], names: tuple[str, ...], seal: str) -> Chunk | None:
    from scipy.io import netcdf_file

    try:
        with netcdf_file(BytesIO(data), "r", mmap=False) as opened:
            file: Any = opened
            values = {name: np.array(file.variables[name][...], dtype=np.float64) for name in names}
            status = np.array(file.variables["status"][...], dtype=np.int8)
            reasons = {int(code): str(why) for code, why in json.loads(file.reasons).items()}
            chunk, expected = Chunk(values, status, reasons), file.digest.decode()
    except Exception:  # whatever a damaged file makes of the reader
        return None
    if (
        status.shape != shape
        or any(array.shape != shape for array in values.values())
        or _content_digest(chunk, seal) != expected
    ):
        return None
    return chunk


def _content_digest(chunk: Chunk, seal: str) -> str:
    state = hashlib.sha256((seal + json.dumps(chunk.reasons)).encode())
    for array in (*chunk.values.values(), chunk.status):
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()
