import pytest

from localcloud.services.rds import parameters
from localcloud.services.rds.parameters import ParameterError, Size

SMALL = Size(memory=1 << 30, storage=20, vcpus=2, port=5432)


def own(value, method="immediate"):
    return {"ParameterValue": value, "ApplyMethod": method}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100", "100"),
        ("pg_stat_statements", "pg_stat_statements"),
        ("{DBInstanceClassMemory/32768}", "32768"),
        ("LEAST({DBInstanceClassMemory/9531392},5000)", "112"),
        ("GREATEST({DBInstanceClassMemory*1024/63963136},65536)", "65536"),
        ("SUM({DBInstanceVCPU*2},1)", "5"),
        ("{log(DBInstanceClassMemory/1048576)}", "10"),
    ],
)
def test_formulas_of_rds(text, value):
    assert parameters.evaluate(text, SMALL) == value


@pytest.mark.parametrize(
    "text", ["{Unknown/2}", "{__import__('os')}", "{DBInstanceClassMemory/0}", "{1 if 2 else 3}"]
)
def test_other_expressions_are_refused(text):
    with pytest.raises(ParameterError, match="formula"):
        parameters.evaluate(text, SMALL)


def test_default_memory_follows_the_class():
    bigger = Size(memory=4 << 30, storage=20, vcpus=2, port=5432)
    small, big = parameters.settings({}, SMALL), parameters.settings({}, bigger)
    assert int(big["shared_buffers"]) == 4 * int(small["shared_buffers"])
    assert int(big["max_connections"]) > int(small["max_connections"])


def test_logical_replication_sets_the_wal_level():
    assert parameters.settings({}, SMALL)["wal_level"] == "replica"
    logical = parameters.settings({"rds.logical_replication": "1"}, SMALL)
    assert logical["wal_level"] == "logical"
    assert not any(name.startswith("rds.") for name in logical)


def test_tls_is_forced_unless_switched_off():
    assert parameters.forces_tls({})
    assert not parameters.forces_tls({"rds.force_ssl": "0"})


@pytest.mark.parametrize(
    ("name", "value", "method", "message"),
    [
        ("no_such", "1", "immediate", "Could not find parameter"),
        ("max_connections", "100", "immediate", "cannot use immediate apply method"),
        ("max_connections", "0", "pending-reboot", "Invalid parameter value"),
        ("work_mem", "much", "immediate", "Invalid parameter value"),
        ("log_min_duration_statement", "-2", "immediate", "Invalid parameter value"),
        ("intervalstyle", "gregorian", "immediate", "Invalid parameter value"),
        ("rds.force_ssl", "maybe", "immediate", "Invalid parameter value"),
    ],
)
def test_what_modify_refuses(name, value, method, message):
    with pytest.raises(ParameterError, match=message):
        parameters.check(name, value, method)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_connections", "200"),
        ("max_connections", "LEAST({DBInstanceClassMemory/9531392},100)"),
        ("log_min_duration_statement", "-1"),
        ("intervalstyle", "iso_8601"),
        ("rds.force_ssl", "1"),
        ("search_path", "app, public"),
    ],
)
def test_what_modify_takes(name, value):
    parameters.check(name, value, "pending-reboot")


def test_platform_settings_are_no_parameters():
    for name in ("data_directory", "listen_addresses", "archive_command", "hba_file", "fsync"):
        assert name not in parameters.table()


def test_dynamic_immediate_parameters_apply_at_once():
    group = {"work_mem": own("8192"), "random_page_cost": own("1.1", "pending-reboot")}
    assert parameters.settled({}, group) == {"work_mem": "8192"}
    assert parameters.wanted(group) == {"work_mem": "8192", "random_page_cost": "1.1"}


def test_static_parameters_wait_for_a_reboot():
    group = {"max_connections": own("50", "pending-reboot")}
    assert parameters.settled({"max_connections": "100"}, group) == {"max_connections": "100"}


def test_a_reset_dynamic_parameter_goes_back_at_once():
    running = {"work_mem": "8192", "max_connections": "50"}
    assert parameters.settled(running, {}) == {"max_connections": "50"}


def test_describe_says_where_a_value_comes_from():
    rows = {row["ParameterName"]: row for row in parameters.describe({"work_mem": own("8192")})}
    assert rows["work_mem"]["Source"] == "user"
    assert rows["work_mem"]["ParameterValue"] == "8192"
    assert rows["shared_buffers"]["Source"] == "system"
    assert rows["shared_buffers"]["ApplyType"] == "static"
    assert "ParameterValue" not in rows["jit"]
    assert all(row["IsModifiable"] for row in rows.values())
