"""What builds leave behind, read: logs, test reports, archives, figures. Pure: bytes and text in, values out."""
