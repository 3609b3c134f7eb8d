"""One picture that moves, of several that do not: an SVG with CSS keyframes, without a script."""

import re
from collections.abc import Sequence
from typing import Final

SECONDS: Final = 4
"""How long each frame is shown."""
_VIEW: Final = re.compile(r'<svg class="rich-terminal" viewBox="0 0 (?P<width>[\d.]+) (?P<height>[\d.]+)"[^>]*>')
_HEAD: Final = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
@keyframes turn {{ 0% {{ opacity: 1 }} {share:.4g}% {{ opacity: 0 }} 100% {{ opacity: 0 }} }}
.frame {{ opacity: 0; animation: turn {whole}s step-end infinite }}
@media (prefers-reduced-motion: reduce) {{ .frame {{ animation: none }} }}
{delays}
</style>
"""


def animate(frames: Sequence[str]) -> str:
    """Return the frames, one after the other, again and again; where nothing moves, the last one is seen."""
    view = _VIEW.match(frames[0])
    assert view is not None
    delays = "\n".join(f".frame-{n} {{ animation-delay: {n * SECONDS}s }}" for n in range(len(frames) - 1))
    head = _HEAD.format(**view.groupdict(), share=100 / len(frames), whole=SECONDS * len(frames), delays=delays)
    *above, below = frames
    moving = "".join(f'<g class="frame frame-{n}">\n{frame}</g>\n' for n, frame in enumerate(above))
    return f"{head}{below}{moving}</svg>\n"
