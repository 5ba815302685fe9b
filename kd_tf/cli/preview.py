"""The command `kd-tf preview`: shows a bundle in a browser page."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from kd_tf.cli import options
from kd_tf.cli.console import make_console


def preview(
    bundle: options.Bundle,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Do not serve the page: write it into this folder, for a static host. The folder "
            "is new, empty, or an earlier export, which is replaced."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port on 127.0.0.1.",
            min=0,
            max=65535,
            show_default="8766, or a free one",
        ),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Show a bundle in a browser page, or export the page for a static host.

    Only this computer can reach the page, and the page loads nothing from other computers.
    """
    from kd_tf.preview.export import check_export_folder, export_site
    from kd_tf.preview.server import PreviewServer
    from kd_tf.preview.site import make_site
    from kd_tf.runtime.bundle import Bundle

    if export is not None:
        check_export_folder(export)
    console = make_console(soft_wrap=True)
    opened_bundle = Bundle.open(bundle)
    site = make_site(opened_bundle, lambda text: console.print(text, style="dim"))
    if export is not None:
        export_site(site, export)
        size = sum(len(content) for content in site.files.values())
        console.print(
            f"{len(site.files)} files, {size / 1e6:.1f} MB: {export}\n"
            "Any static host can serve this folder, also from a subpath; browsers require HTTPS.",
        )
        return
    with PreviewServer(site, port) as server:
        console.print(
            f"{opened_bundle.config.name}: {server.url}\n"
            "Only this computer can reach the page. Press Ctrl-C to stop.",
        )
        if browser and _detect_display():
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("\nstopped")


def _detect_display() -> bool:
    """Returns whether a graphical browser can open.

    Without a display, Python would start a text browser in the terminal that shows the address.
    """
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
