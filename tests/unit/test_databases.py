import pytest

from config.databases import Purpose, database, databases

_PURPOSE = Purpose("holdfast", "read-write", pool_size_max=0)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40x@one:5432,two:5433/db",
        "postgresql://u:p%40x@/db?host=one,two&port=5432,5433",
        "postgres://u:p%40x@one:5432,two:5433/db",
    ],
)
def test_an_address_may_name_several_hosts(url: str):
    found = database(url, purpose=_PURPOSE)

    names = ("HOST", "PORT", "USER", "PASSWORD", "NAME")
    assert [found[name] for name in names] == ["one,two", "5432,5433", "u", "p@x", "db"]
    assert found["OPTIONS"]["target_session_attrs"] == "read-write"


def test_what_an_address_says_itself_wins():
    found = database("postgresql://h/db?target_session_attrs=any&sslmode=require", purpose=_PURPOSE)

    assert found["OPTIONS"]["target_session_attrs"] == "any"
    assert found["OPTIONS"]["sslmode"] == "require"


def test_each_workload_is_told_apart_and_has_connections_of_its_own():
    urls = {alias: f"postgresql://{alias}@h/db" for alias in ("default", "replica", "dashboard", "reports")}
    found = databases(urls=urls, pool_size_max=8)

    def of(name: str) -> list[object]:
        return [one["OPTIONS"][name] for one in found.values()]

    assert [pool["max_size"] for pool in of("pool")] == [8, 8, 4, 2]
    assert {one["CONN_MAX_AGE"] for one in found.values()} == {0}
    assert of("application_name") == [
        "holdfast",
        "holdfast-replica",
        "holdfast-dashboard",
        "holdfast-reports",
    ]
    assert of("target_session_attrs") == ["read-write", *["prefer-standby"] * 3]


def test_workers_keep_a_connection_a_thread_and_have_no_pool():
    found = database("postgresql://h/db", purpose=_PURPOSE)

    assert "pool" not in found["OPTIONS"]
    assert found["CONN_MAX_AGE"] is None
