"""The page's lock file fixes what npm brings, and names no host."""

from __future__ import annotations

from kd_tf.preview.site import PAGE


def test_the_lock_file_names_versions_and_hashes_and_no_host() -> None:
    lock = (PAGE / "package-lock.json").read_text("utf-8")
    assert '"@litertjs/core": "2.5.3"' in lock
    assert "://" not in lock
    packages = lock.count('"node_modules/')
    assert packages == lock.count('"integrity": "sha512-')
