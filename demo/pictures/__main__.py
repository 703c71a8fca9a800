"""`make pictures`: every page in every state, into docs/images, with a page that lists them.

    python -m demo.pictures [--into docs/images] [--only workbench,task] [--url http://…]

Starts a platform of its own on throw-away data, takes the empty pages, fills it (demo, story and
what the story leaves empty) and takes the rest. With --url it looks at one that runs and is filled
(`manage.py demo_fill`); empty pages are left out then. Needs playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from demo.pictures.camera import Camera, camera
from demo.pictures.house import House, HouseFailed
from demo.pictures.index import broken_page, write_index
from demo.pictures.shots import SHOTS, Shot

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m demo.pictures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default="", help="a filled platform that runs already")
    parser.add_argument("--into", type=Path, default=IMAGES)
    parser.add_argument("--only", default="", help="names of pages or pictures, with commas")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    wanted = set(filter(None, arguments.only.split(",")))
    shots = [s for s in SHOTS if not wanted or wanted & {s.name, s.page}]
    full = [shot for shot in shots if not shot.is_empty]
    if arguments.url:
        with camera(arguments.url, broken_page()) as taking:
            _take(taking, full, arguments.into)
        failed = taking.failed
    else:
        try:
            with House() as house, camera(house.url, broken_page()) as taking:
                _take(taking, [shot for shot in shots if shot.is_empty], arguments.into)
                if full:
                    house.fill()
                    _take(taking, full, arguments.into)
                failed = taking.failed
        except HouseFailed as failure:
            sys.stderr.write(f"FAILED: {failure}\n")
            return 1
    if not wanted:
        _forget_others(arguments.into)
        write_index(arguments.into)
    total = sum(path.stat().st_size for path in arguments.into.glob("*.webp"))
    sys.stdout.write(f"{total / 1e6:.1f} MB in {arguments.into}\n")
    return 1 if failed else 0


def _take(taking: Camera, shots: list[Shot], folder: Path) -> None:
    for shot in shots:
        for path in taking.take(shot, folder):
            sys.stdout.write(f"{path.stat().st_size / 1000:5.0f} kB  {path.name}\n")
            sys.stdout.flush()


def _forget_others(folder: Path) -> None:
    """Pictures of pages that are no more."""
    known = {name for shot in SHOTS for _, name in shot.files()}
    for path in [*folder.glob("*.webp"), *folder.glob("*.png")]:
        if path.name not in known:
            path.unlink()


if __name__ == "__main__":
    sys.exit(main())
