"""Sign and check a bundle's manifest with SSH keys, by `ssh-keygen`.

The manifest has the digest of every other file, so its signature covers the whole bundle. The signature is
what ``ssh-keygen -Y sign`` writes (https://man.openbsd.org/ssh-keygen), in the file that it names itself.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from reproof.bundle.manifest import read_manifest
from reproof.bundle.records import MANIFEST, SIGNATURE
from reproof.errors import BundleError, DependencyError

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE: Final = "reproof"
TIMEOUT_SECONDS: Final = 60.0
"""A key with a passphrase asks for it at the terminal."""


def sign_bundle(folder: Path, key: Path) -> Path:
    """Sign the manifest of a bundle and return the path of the signature.

    Raises BundleError if there is no bundle, or the key cannot be used; DependencyError if ssh-keygen is not installed.
    Effects: writes the signature into the bundle, in the place of an older one.
    """
    read_manifest(folder)
    signature = folder / SIGNATURE
    signature.unlink(missing_ok=True)
    done = _run(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE, str(folder / MANIFEST)], b"")
    if done.returncode != 0:
        raise BundleError(f"cannot sign with {key}: {_last_line(done)}", "name a private key of SSH with --key")
    return signature


def check_signature(folder: Path, signers: Path, identity: str) -> None:
    """Check that one of the allowed signers has signed the manifest of a bundle.

    Raises BundleError if there is no signature, or it is by someone else, or of another manifest; DependencyError if
    ssh-keygen is not installed.
    """
    read_manifest(folder)
    signature = folder / SIGNATURE
    if signature.is_symlink() or not signature.is_file():
        raise BundleError(f"{folder} is not signed", "sign it with `reproof bundle sign`")
    arguments = ["-Y", "verify", "-f", str(signers), "-I", identity, "-n", NAMESPACE, "-s", str(signature)]
    done = _run(arguments, (folder / MANIFEST).read_bytes())
    if done.returncode != 0:
        problem = f"bundle {folder} is refused: its signature is none of {identity!r} ({_last_line(done)})"
        raise BundleError(problem, "get it from whoever signed it", slug="bundle-signature")


def _run(arguments: list[str], content: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603  # no shell
            ["ssh-keygen", *arguments],  # noqa: S607  # the user's own, found as a shell would
            input=content,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise DependencyError("ssh-keygen is not installed", "install OpenSSH") from None
    except subprocess.TimeoutExpired:
        raise BundleError("ssh-keygen did not answer", "use a key that is in an agent, or has no passphrase") from None


def _last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    return ascii(lines[-1])[1:-1][:200] if lines else f"exit code {done.returncode}"
