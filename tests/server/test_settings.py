"""Settings are read once, and what is wrong stops the start with the closest right word."""

from __future__ import annotations

import dataclasses

import pytest

from crm_server.settings import Settings, SettingsError, environment_url, read_settings

TOOLSETS = ("accounts", "contacts", "opportunities", "leads")


def test_settings_come_from_the_environment_and_flags_win() -> None:
    environ = {
        "DYNAMICS_URL": "https://contoso.crm.dynamics.com/",
        "DYNAMICS_POLICY": "read-only",
        "PATH": "/bin",
    }
    assert read_settings(environ, TOOLSETS) == Settings(
        url="https://contoso.crm.dynamics.com", policy="read-only"
    )
    assert read_settings(environ, TOOLSETS, policy="full-access", toolsets=None).policy == "full-access"


def test_settings_are_frozen_and_do_not_show_the_secret() -> None:
    settings = read_settings({"DYNAMICS_CLIENT_SECRET": "hunter2"}, TOOLSETS)
    assert settings.client_secret == "hunter2"
    assert "hunter2" not in repr(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.url = "https://other"  # type: ignore[misc]  # the assignment is what is tested


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"DYNAMICS_POLCY": "read-only"}, "DYNAMICS_POLICY"),
        ({"DYNAMICS_CLIENT_SECRETS": "x"}, "DYNAMICS_CLIENT_SECRET"),
        ({"dynamics_url": "https://x.crm.dynamics.com"}, "DYNAMICS_URL"),
        ({"DYNAMICS_TOOLSETS": "acounts"}, "accounts"),
        ({"DYNAMICS_TOOLSETS": ","}, "accounts"),
        ({"DYNAMICS_LOG_LEVEL": "inf"}, "info"),
    ],
)
def test_a_misspelt_setting_is_answered_with_the_closest(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ, TOOLSETS)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://contoso.crm.dynamics.com",
        "https://user:secret@contoso.crm.dynamics.com",
        "https://",
        "ftp://contoso.crm.dynamics.com",
        "contoso.crm.dynamics.com",
        "https://contoso.crm.dynamics.com/other/path",
        "https://contoso.crm.dynamics.com?x=1",
        "https://contoso.crm.dynamics.com:port",
    ],
)
def test_an_address_that_is_not_an_environment_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        environment_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://contoso.crm4.dynamics.com/api/data/v9.2/", "https://contoso.crm4.dynamics.com"),
        ("http://127.0.0.1:8322", "http://127.0.0.1:8322"),
        ("http://[::1]:8322/", "http://[::1]:8322"),
    ],
)
def test_an_address_is_taken_down_to_its_root(url: str, root: str) -> None:
    assert environment_url(url) == root


def test_another_place_to_sign_in_is_taken_down_to_its_root() -> None:
    settings = read_settings({"DYNAMICS_AUTHORITY": "https://localhost:8322/"}, [])
    assert settings.authority == "https://localhost:8322"
    assert read_settings({}, []).authority is None


def test_a_cloud_that_is_none_is_refused_with_the_closest_name() -> None:
    assert read_settings({"DYNAMICS_CLOUD": "gcc-high"}, []).cloud == "gcc-high"
    with pytest.raises(SettingsError, match="Did you mean gcc-high"):
        read_settings({"DYNAMICS_CLOUD": "gcchigh"}, [])


def test_what_a_platform_sets_for_a_workload_counts_for_a_workload_only() -> None:
    platform = {
        "AZURE_TENANT_ID": "platform-tenant",
        "AZURE_CLIENT_ID": "platform-client",
        "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token",
        "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/",
    }
    workload = read_settings(
        {**platform, "DYNAMICS_AUTH": "workload-identity", "DYNAMICS_CLIENT_ID": "own"}, []
    )
    assert (workload.tenant_id, workload.client_id) == ("platform-tenant", "own")
    assert workload.federated_token_file == "/var/run/token"
    assert workload.authority == "https://login.microsoftonline.us"
    assert read_settings(platform, []).tenant_id is None
    for_callers = read_settings({**platform, "DYNAMICS_AUTH": "on-behalf-of"}, [])
    assert for_callers.federated_token_file == "/var/run/token"


@pytest.mark.parametrize(
    "address",
    ["http://localhost:8322", "localhost", "https://x/tenant", "https://me:secret@x", "https://x?y=1"],
)
def test_a_place_to_sign_in_without_https_or_with_more_than_a_host_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="DYNAMICS_AUTHORITY") as refusal:
        read_settings({"DYNAMICS_AUTHORITY": address}, [])
    assert "secret" not in str(refusal.value)


def test_a_private_network_is_allowed_by_the_word_true_only() -> None:
    assert read_settings({}, []).private_network is False
    assert read_settings({"DYNAMICS_PRIVATE_NETWORK": "True"}, []).private_network is True
    assert read_settings({"DYNAMICS_PRIVATE_NETWORK": "false"}, []).private_network is False
    with pytest.raises(SettingsError, match="DYNAMICS_PRIVATE_NETWORK must be true or false"):
        read_settings({"DYNAMICS_PRIVATE_NETWORK": "yes"}, [])


@pytest.mark.parametrize("text", ["mysql://crm@db/crm", "postgresql://crm@db:port/crm", "http://db"])
def test_a_state_that_is_no_database_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="DYNAMICS_STATE is a file, postgresql://"):
        read_settings({"DYNAMICS_STATE": text}, [])


@pytest.mark.parametrize("variable", ["DYNAMICS_KEEP_CHANGES_DAYS", "DYNAMICS_KEEP_AUDIT_DAYS"])
@pytest.mark.parametrize("text", ["0", "-1", "soon", "1.5"])
def test_days_to_keep_are_days(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable} is a number of days"):
        read_settings({variable: text}, [])


def test_roles_and_places_of_the_state_are_read() -> None:
    given = {"DYNAMICS_ROLES": "sales, lead", "DYNAMICS_STATE": "memory", "DYNAMICS_KEEP_AUDIT_DAYS": "30"}
    settings = read_settings(given, [])
    assert (settings.roles, settings.state, settings.keep_audit_days) == ({"sales", "lead"}, "sqlite://", 30)
