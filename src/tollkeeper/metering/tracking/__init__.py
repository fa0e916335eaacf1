"""The life of chat requests: admitted, recorded, settled, read again."""
