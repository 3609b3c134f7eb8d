"""Every command that a host is asked, and every line that goes to it, is explained word by word."""

import pytest

from kthw_routes.teaching.explain import UNKNOWN, explain
from tests.model.recorded_walks import recorded
from tests.model.walk_setups import SETUPS


@pytest.mark.parametrize("setup", SETUPS)
def test_no_word_of_a_command_is_unknown(setup: str) -> None:
    lines = set()
    for asked in recorded(setup).asked:
        lines.add(asked.text)
        if asked.command.argv[0] in ("bridge", "ip"):
            lines.update(asked.command.stdin.decode().splitlines())
    assert len(lines) > 20
    unknown = {(line, word.text) for line in lines for word in explain(line).words if word.meaning == UNKNOWN}
    assert not unknown
