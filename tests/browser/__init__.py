"""The practice lab in a browser: its server, and a walk in a real one."""

import pytest

pytest.importorskip("textual_serve", reason="the tests of `demo --serve` need the extra `web`")
