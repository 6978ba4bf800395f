"""Every setting: its environment variable, what it is for, and an example."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its field, what it is for, and an example for the documentation."""

    variable: str
    field: str
    meaning: str
    example: str


SETTINGS = (
    Setting("DYNAMICS_URL", "url", "Address of the environment", "https://contoso.crm.dynamics.com"),
    Setting(
        "DYNAMICS_PRIVATE_NETWORK",
        "private_network",
        "true if the environment is at a private address, such as behind a private link",
        "true",
    ),
    Setting("DYNAMICS_AUTH", "auth", "How to sign in", "client-secret"),
    Setting("DYNAMICS_CLOUD", "cloud", "Microsoft's cloud; told by the address unless set", "gcc-high"),
    Setting(
        "DYNAMICS_AUTHORITY",
        "authority",
        "Where to sign in; told by the cloud unless set",
        "https://login.microsoftonline.com",
    ),
    Setting("DYNAMICS_TENANT_ID", "tenant_id", "Directory (tenant) id or domain", "contoso.onmicrosoft.com"),
    Setting("DYNAMICS_CLIENT_ID", "client_id", "Application (client) id", "a GUID"),
    Setting("DYNAMICS_CLIENT_SECRET", "client_secret", "Client secret of the application", "its value"),
    Setting(
        "DYNAMICS_CERTIFICATE", "certificate", "File with certificate and private key, PEM or PFX", "app.pem"
    ),
    Setting("DYNAMICS_CERTIFICATE_PASSWORD", "certificate_password", "Password of that file", "its value"),
    Setting("DYNAMICS_TOKEN_COMMAND", "token_command", "Program that prints a token", "get-token --crm"),
    Setting("DYNAMICS_POLICY", "policy", "Preset or policy file", "read-only"),
    Setting(
        "DYNAMICS_ROLES", "roles", "Roles of the caller on this machine, for rules with roles", "sales,lead"
    ),
    Setting(
        "DYNAMICS_STATE",
        "state",
        "Where budgets, plans, journal and audit are kept: a file, postgresql://..., or memory",
        "postgresql://crm@db/crm",
    ),
    Setting(
        "DYNAMICS_STATE_KEY",
        "state_key",
        "Key file of the state; the same for all servers that share it",
        "state.key",
    ),
    Setting(
        "DYNAMICS_KEEP_CHANGES_DAYS",
        "keep_changes_days",
        "Days that changes can be listed and undone; 90 unless set",
        "30",
    ),
    Setting(
        "DYNAMICS_KEEP_AUDIT_DAYS", "keep_audit_days", "Days that the audit is kept; always unless set", "400"
    ),
    Setting(
        "DYNAMICS_TOOLSETS",
        "toolsets",
        "Toolsets to offer; spec, sales, insight and changes unless set",
        "compact,changes",
    ),
    Setting(
        "DYNAMICS_TABLES",
        "tables",
        "Tables to offer tools for, as the environment describes them; the four standard ones unless set",
        "account,contact,new_project",
    ),
    Setting(
        "DYNAMICS_TIME_ZONE",
        "time_zone",
        "Time zone of those who ask; times without one are meant in it, and shown in it",
        "Europe/Berlin",
    ),
    Setting(
        "DYNAMICS_LOCALE",
        "locale",
        "How those who ask write numbers, amounts and dates; plain numbers and ISO dates unless set",
        "de-DE",
    ),
    Setting(
        "DYNAMICS_FILES",
        "files",
        "Folder that imports read CSV files from and exports write to; none unless set",
        "/srv/crm-files",
    ),
    Setting(
        "DYNAMICS_PUBLIC_URL",
        "public_url",
        "Address by which a team's clients reach this server",
        "https://crm-mcp.contoso.example",
    ),
    Setting(
        "DYNAMICS_CALLERS_ISSUER",
        "callers_issuer",
        "Who signs callers' tokens; {tenantid} in it stands for each of DYNAMICS_CALLERS_TENANTS",
        "https://login.microsoftonline.com/TENANT/v2.0",
    ),
    Setting(
        "DYNAMICS_CALLERS_AUDIENCE",
        "callers_audience",
        "For whom callers' tokens are meant: the application's URI, its id, or both",
        "api://crm-mcp,GUID",
    ),
    Setting(
        "DYNAMICS_CALLERS_TENANTS",
        "callers_tenants",
        "Tenants whose callers are let in, where the issuer signs for many",
        "GUID,GUID",
    ),
    Setting(
        "DYNAMICS_CALLERS_SERVICES",
        "callers_services",
        "Applications that call in their own name, each with its role",
        "GUID=Integration",
    ),
    Setting(
        "DYNAMICS_CALLERS_NAME",
        "callers_name",
        "Claim that names callers in policy and audit; what never changes (oid@tid or sub@issuer) unless set",
        "preferred_username",
    ),
    Setting(
        "DYNAMICS_CALLERS_FILE",
        "callers_file",
        "Callers of a lab without an issuer, with the digests of their tokens",
        "callers.toml",
    ),
    Setting(
        "DYNAMICS_PAGE_CLIENT_ID",
        "page_client_id",
        "Application (client) id of the page for approvals; without it there is none, but in a lab",
        "a GUID",
    ),
    Setting(
        "DYNAMICS_PAGE_CLIENT_SECRET",
        "page_client_secret",
        "Client secret of that application, where it has one",
        "its value",
    ),
    Setting(
        "DYNAMICS_PAGE_ROLES",
        "page_roles",
        "Roles or groups that approve on the page, or only see it",
        "CRM.Approver=approve,CRM.Auditor=see",
    ),
    Setting(
        "DYNAMICS_PAGE_UNDO",
        "page_undo",
        "true if the page asks approvers for crm.write at the issuer, so that they can take changes back",
        "true",
    ),
    Setting(
        "DYNAMICS_APPROVE_ON_PAGE",
        "approve_on_page",
        "true if changes are approved on the page only, and never by the caller at the client",
        "true",
    ),
    Setting(
        "DYNAMICS_APPROVE_OWN",
        "approve_own",
        "true if an approver may approve on the page what their own assistant asked for",
        "true",
    ),
    Setting(
        "DYNAMICS_ORIGINS",
        "origins",
        "Web pages whose scripts may call this server",
        "https://assistant.contoso.example",
    ),
    Setting(
        "DYNAMICS_SESSIONS",
        "sessions",
        "stateful, or stateless so that any replica answers; stateless with DYNAMICS_PUBLIC_URL unless set",
        "stateful",
    ),
    Setting("DYNAMICS_CALLS", "calls", "Calls under way at most; 64 unless set", "32"),
    Setting(
        "DYNAMICS_CALLS_OF_ONE", "calls_of_one", "Calls of one caller under way at most; 8 unless set", "4"
    ),
    Setting(
        "DYNAMICS_DRAIN_SECONDS",
        "drain_seconds",
        "How long calls under way may finish when the server is told to end; 25 for a team, else 1",
        "60",
    ),
    Setting("DYNAMICS_METRICS", "metrics", "true for metrics of Prometheus at /metrics, over HTTP", "true"),
    Setting("DYNAMICS_LOG_LEVEL", "log_level", "debug, info, warning or error", "info"),
)
"""Every setting there is. README's table is made from it."""
