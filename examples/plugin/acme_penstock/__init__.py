"""The plugin family `io.acme`: its type names, and where their classes are. Classes are imported when a flow needs them."""

TYPES = {"io.acme.text.Shout": "acme_penstock.text:Shout"}
ALIASES = {"io.acme.Shout": "io.acme.text.Shout"}
