"""The organisation's own tables and columns, as the environment describes them."""

from crm_server.organisation.named import NamedTables, chosen_tools
from crm_server.organisation.reading import Learned, learn, nearest_table

__all__ = ["Learned", "NamedTables", "chosen_tools", "learn", "nearest_table"]
