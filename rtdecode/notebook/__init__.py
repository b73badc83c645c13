"""What `import rtdecode` offers to a notebook: thin functions over the code of the commands.

`rtdecode/__init__.py` names them and imports them where they are used, so that the import itself
takes no time and needs no package. Errors are those of the commands.
"""
