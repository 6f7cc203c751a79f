"""One module per vendor, each with one FACE. Adding a vendor is adding a file here; nothing lists them."""
