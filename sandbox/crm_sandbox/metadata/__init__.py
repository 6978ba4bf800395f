"""Metadata: what tables, columns and relationships there are, as clients read and change it."""

from crm_sandbox.metadata.service import MetadataService

__all__ = ["MetadataService"]
