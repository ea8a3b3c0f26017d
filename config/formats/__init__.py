"""How times are written for people, where a template asks for a language's own way (FORMAT_MODULE_PATH)."""
