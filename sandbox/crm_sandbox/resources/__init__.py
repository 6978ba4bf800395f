"""What addresses name: sets, rows, columns, links, collections."""
