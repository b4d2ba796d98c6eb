"""Signatures of bundles by keys of SSH."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from reproof.bundle import open_bundle
from reproof.bundle.signature import check_signature, sign_bundle
from reproof.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")


def make_key(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a new private key, and a list that allows its owner alone."""
    key = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    signers = folder / f"{name}.signers"
    signers.write_text(f"{name}@example.org {key.with_suffix('.pub').read_text()}")
    return key, signers


def test_a_signature_is_that_of_its_key(bundle: Path, tmp_path: Path) -> None:
    """The signer is accepted, another is not; a signed bundle is opened as any other."""
    key, signers = make_key(tmp_path, "ada")
    _, others = make_key(tmp_path, "bob")
    sign_bundle(bundle, key)
    check_signature(bundle, signers, "ada@example.org")
    open_bundle(bundle)
    with pytest.raises(BundleError, match=r"none of 'bob@example\.org'"):
        check_signature(bundle, others, "bob@example.org")


def test_a_changed_manifest_has_no_signature(bundle: Path, tmp_path: Path) -> None:
    """One byte more, and the signature is of something else."""
    key, signers = make_key(tmp_path, "ada")
    sign_bundle(bundle, key)
    (bundle / "bundle.json").write_bytes((bundle / "bundle.json").read_bytes() + b" ")
    with pytest.raises(BundleError, match="its signature is none of"):
        check_signature(bundle, signers, "ada@example.org")


def test_an_unsigned_bundle_is_told(bundle: Path, tmp_path: Path) -> None:
    """Where a signature is asked for, its absence is an error."""
    _, signers = make_key(tmp_path, "ada")
    with pytest.raises(BundleError, match="is not signed"):
        check_signature(bundle, signers, "ada@example.org")


def test_a_file_that_is_no_key_is_told(bundle: Path, tmp_path: Path) -> None:
    """The error is one line with what ssh-keygen says."""
    (tmp_path / "key").write_text("no key")
    with pytest.raises(BundleError, match="cannot sign with"):
        sign_bundle(bundle, tmp_path / "key")
