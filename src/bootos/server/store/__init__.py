"""The database: tables, transactions, migrations, the vault of the secrets; and looking for rows."""
