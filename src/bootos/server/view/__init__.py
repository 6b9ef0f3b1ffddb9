"""What operators are shown: the store's rows as msgspec models, without anything secret. Operations answer with them,
the operator API sends them as JSON, the pages and the commands read them. Times are ISO 8601 in UTC."""
