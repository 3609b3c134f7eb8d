"""A value that must never be shown: a token, a password. Only `reveal` returns it."""

import hmac
from typing import Final, NoReturn

_MASK: Final = "***"


class Secret:
    """Text that `repr`, `str`, formatting and pickling do not give away."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Return the text itself. Called where it is handed to the far end, nowhere else."""
        return self.__text

    def hidden_in(self, text: str) -> str:
        """Mask every occurrence of the secret in `text`: for what a host may have echoed."""
        return text.replace(self.__text, _MASK) if self.__text else text

    def __repr__(self) -> str:
        return _MASK

    def __str__(self) -> str:
        return _MASK

    def __format__(self, _spec: str) -> str:
        return _MASK

    def __bool__(self) -> bool:
        """Whether there is any text."""
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, _memo: object) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")
