"""The projects of examples/, each started by the command of its README."""
