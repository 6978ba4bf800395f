"""Reads: query options, filters, expansion, aggregation, FetchXML, SQL and paging, all compiled to SQL."""
