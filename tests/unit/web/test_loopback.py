import pytest

from triage.web.loopback import came_through_a_proxy, is_loopback_address, is_loopback_name


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "[::1]", "127.9.0.1"])
def test_loopback_names_are_known(host: str) -> None:
    assert is_loopback_name(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8000",
        "testserver",
        "localhost:x",
        "10.0.0.1",
        "2130706433",
        "[::1",
        "user@127.0.0.1",
        "127.0.0.1:80:80",
    ],
)
def test_every_other_name_is_foreign(host: str) -> None:
    assert not is_loopback_name(host)


@pytest.mark.parametrize(("address", "is_one"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False)])
def test_address_that_others_reach_is_not_loopback(address: str, is_one: bool) -> None:
    assert is_loopback_address(address) is is_one


def test_proxy_gives_itself_away() -> None:
    assert came_through_a_proxy({"x-forwarded-for": "203.0.113.9"})
    assert not came_through_a_proxy({"host": "127.0.0.1"})
