"""Metadata: what tables, columns and relationships there are, as clients read and change it."""

from crm_sandbox.metadata.service import MetadataAnswer, MetadataService
from crm_sandbox.metadata.writing import restore_tables

__all__ = ["MetadataAnswer", "MetadataService", "restore_tables"]
