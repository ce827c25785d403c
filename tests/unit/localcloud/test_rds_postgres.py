from localcloud.services.rds import parameters, postgres


def test_users_cannot_reach_what_belongs_to_the_platform():
    text = postgres.conf({"listen_addresses": "nowhere", "work_mem": "8192"}, 5433, None)
    assert "listen_addresses = '*'" in text
    assert "work_mem = '8192'" in text
    assert "port = '5433'" in text


def test_what_a_parameter_group_may_set_is_set():
    text = postgres.conf(dict.fromkeys(parameters.table(), "theirs"), 5432, None)
    assert [name for name in parameters.table() if f"\n{name} = 'theirs'\n" not in text] == []


def test_values_are_quoted():
    text = postgres.conf({"search_path": "it's"}, 5432, None)
    assert "search_path = 'it''s'" in text


def test_a_primary_waits_for_its_standby_only_when_told():
    assert "synchronous_standby_names = ''" in postgres.conf({}, 5432, None)
    text = postgres.conf({}, 5432, "db-a-2")
    assert """synchronous_standby_names = 'FIRST 1 ("db-a-2")'""" in text


def test_the_owner_and_replication_stay_inside():
    lines = [line.split() for line in postgres.hba(True, ["10.0.1.5"]).splitlines()]
    owner = lines.index(["local", "all", "rdsadmin", "trust"])
    kept_out = lines.index(["host", "all", "rdsadmin,rdsrepladmin", "all", "reject"])
    users = lines.index(["hostssl", "all", "all", "all", "scram-sha-256"])
    assert owner < kept_out < users
    assert ["hostssl", "replication", "rdsrepladmin", "10.0.1.5/32", "scram-sha-256"] in lines


def test_tls_can_be_left_to_the_client():
    lines = [line.split() for line in postgres.hba(False, []).splitlines()]
    assert lines[-1] == ["host", "all", "all", "all", "scram-sha-256"]


def test_names_and_passwords_are_quoted_in_the_bootstrap():
    statements = [
        statement.as_string(None)
        for statement in postgres.bootstrap('ma"ster', "pa'ss", "shop", "secret")
    ]
    assert any('create role "ma""ster" login' in each and "'pa''ss'" in each for each in statements)
    assert statements[-1] == 'create database "shop" owner "ma""ster"'
    assert not any("superuser" in each.replace("rds_superuser", "") for each in statements)


def test_a_database_named_postgres_is_there_already():
    statements = postgres.bootstrap("admin", "x", "postgres", "y")
    assert not any("create database" in each.as_string(None) for each in statements)
