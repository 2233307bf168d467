"""The process in which TensorBoard serves. It ends when its standard input does: with the process that started it.

Started as `python -m explorer.training.tracking.server_process FOLDER ARGUMENT ...`, the arguments being those of
`tensorboard`; prints its address as one line. That works on every system and however the parent ends, SIGKILL included.
"""

import mimetypes
import shutil
import sys


def main(folder: str, *arguments: str) -> None:
    """Serve until standard input ends, then remove the folder of links."""
    from tensorboard import program

    mimetypes.add_type("text/javascript", ".js")  # on Windows the registry may say otherwise
    server = program.TensorBoard()
    server.configure(argv=["tensorboard", *arguments])
    url = server.launch()
    try:
        print(url, flush=True)
        sys.stdin.read()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
