"""How are tickets kept in SQLite or Postgres?"""
