"""Print the key of a result: the name that it has in a storage, and in the log of a server.

PROGRAM and ARG are those of `workqueue run`. Nothing is run or built. The key depends on the program's name, not on its
path; on --version and --result; and on each ARG. For a server whose queue has a name, a version or `key=`, give the
same name and version, and as ARG what its `key=` returns. The queue of an Overview plugin shortens the URL of the
Overview server: give https://www.overviewdocs.com, not https://www.overviewdocs.com:443/.

Examples:
  workqueue key ./build.py "one two three"
  workqueue rm results "$(workqueue key ./build.py 'one two three')"
"""

import argparse

from workqueue.cli.exit_statuses import OK
from workqueue.cli.form import add_form
from workqueue.cli.naming import add_naming
from workqueue.cli.place import refuse
from workqueue.cli.program import add_program
from workqueue.errors import InvalidParams, ProgramError
from workqueue.naming import Naming, name_of
from workqueue.params import check_params
from workqueue.parts import check_program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_program(parser)
    add_form(parser)
    add_naming(parser)


def run(options: argparse.Namespace) -> int:
    """Print the key; return the exit status."""
    params = tuple(options.arguments)
    try:
        check_params(params)
        if options.name is None:  # else the program may be on another host
            check_program(options.program, {}, inherit_env=True)
    except InvalidParams as err:
        return refuse(str(err))
    except ProgramError as err:
        return refuse(f"{err}. Give --name if the program is on another host")
    naming = Naming(options.name or name_of(options.program), options.version, form=options.result)
    print(naming.key(params))
    return OK
