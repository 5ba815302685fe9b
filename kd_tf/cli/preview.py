"""`kd-tf preview`: a bundle in a browser page."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def preview(
    bundle: Annotated[Path, typer.Argument(help="A bundle folder, e.g. runs/demo/bundle.")],
    export: Annotated[
        Path | None,
        typer.Option(help="Write the page into this folder, for any static host, and end."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="On 127.0.0.1 [8766, or a free one].", min=0, max=65535),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """The bundle in a browser page, on this computer or exported for a static host.

    Nobody else can reach the page, and the page asks no other computer for anything.
    """
    from kd_tf.preview.export import export_site
    from kd_tf.preview.server import PreviewServer
    from kd_tf.preview.site import make_site
    from kd_tf.runtime.bundle import Bundle

    console = Console(highlight=False, soft_wrap=True)
    opened = Bundle.open(bundle)
    site = make_site(opened, lambda text: console.print(text, markup=False, style="dim"))
    if export is not None:
        export_site(site, export)
        size = sum(len(content) for content in site.files.values())
        console.print(
            f"{len(site.files)} files, {size / 1e6:.1f} MB: {export}\n"
            "Any static host can serve this folder, also from a sub-path; browsers need https.",
            markup=False,
        )
        return
    with PreviewServer(site, port) as server:
        console.print(
            f"{opened.config.name}: {server.url}\n"
            "On this computer only, while this command runs. Ctrl-C ends it.",
            markup=False,
        )
        if browser and _detect_display():
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("\nended")


def _detect_display() -> bool:
    # Without one Python would start a browser of the text kind, in the very terminal where the
    # address was printed.
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
