"""A run as a file: exporting it, and importing one that was exported here or elsewhere."""

import streamlit as st

from explorer.errors import RunError
from explorer.store import bin as runs_bin
from explorer.store import summaries
from explorer.store.runs import ACTIVE
from explorer.store.summaries import Summary
from explorer.ui.kit.messages import shown
from explorer.ui.runs import actions, table

_COUNT = "runs:imports"
MAX_MEGABYTES = 64
WIDTH = 620


def export(run: Summary) -> None:
    """Offer a run as a zip file, and the script in it alone.

    Raises
    ------
    ExplorerError
        It cannot be exported; the message says why.
    """
    from explorer.training.archives import export_run, run_script

    with st.container(width=WIDTH):
        st.markdown(
            "The **archive** holds the best and the last network, the settings, the history as CSV and this script; "
            "import it into this application on another computer. The **script** is plain PyTorch and trains the same "
            "network from scratch, without this application."
        )
        _refuse_unfinished(run)
        script = run_script(run.run)
        with st.container(horizontal=True):
            st.download_button(
                "Archive",
                lambda: export_run(run.run),
                f"{run.id}.zip",
                "application/zip",
                key="runs-archive",
                on_click="ignore",
                type="primary",
                icon=":material/archive:",
            )
            st.download_button(
                "Script",
                script,
                "train.py",
                "text/x-python",
                key="runs-script",
                on_click="ignore",
                icon=":material/code:",
            )
        st.code(script, language="python", height=320)


def import_run() -> None:
    """Show a popover with an uploader; what is uploaded becomes a run at once."""
    popover = st.popover("Import", icon=":material/upload:", key="runs-import", on_change="rerun")
    if not popover.open:
        return
    count = st.session_state.setdefault(_COUNT, 0)
    allowed = int(st.get_option("server.maxUploadSize"))
    with popover, shown():
        file = st.file_uploader(
            "The archive of an exported run",
            type=["zip"],
            max_upload_size=min(MAX_MEGABYTES, allowed),
            key=f"runs-import-{count}",
        )
        st.caption("A larger one: `python -m explorer import FILE`.")
        if file is not None:
            with st.spinner("Checking the archive …"):
                _import(file.getvalue())
            st.session_state[_COUNT] = count + 1
            st.rerun()


def _import(content: bytes) -> None:
    from explorer.training.archives import import_archive

    with actions.answered() as notice:
        run = import_archive(content)
        notice.done = f"“{actions.name_of(run)}” is imported."
        table.choose_ids([run.id])


def _refuse_unfinished(run: Summary) -> None:
    """Say what would only come out when the file is asked for, where no message could be shown."""
    best = run.status.best_epoch
    if run.problem:
        raise RunError(run.problem)
    if run.status.state in ACTIVE:
        raise RunError("The run is not over yet. Pause it, or wait for its end, then export it.")
    if best is None or not run.run.weights(best).is_file():
        raise RunError("The run has no complete epoch whose weights are kept, so there is nothing to export.")


KEY = "runs-bin"


def show() -> None:
    """Show the runs in the bin with the buttons to restore them or to delete all for good."""
    found = [summaries.summarise(run) for run in runs_bin.binned()]
    if not found:
        st.info("The bin is empty. Runs that you put into it stay here until you empty it.")
        return
    ticked = table.tick(found, KEY)
    with st.container(horizontal=True):
        st.button(
            "Restore",
            icon=":material/restore_from_trash:",
            type="primary",
            disabled=not ticked,
            key="runs-restore",
            on_click=actions.restore,
            args=([run.id for run in ticked],),
            help="Tick the runs in the table first." if not ticked else None,
        )
        with st.popover("Empty the bin …", icon=":material/delete_forever:", key="runs-empty"):
            count = len(found)
            what = f"these {count:,} runs" if count > 1 else "this run"
            st.markdown(f"Delete {what} for good, with all weights and predictions? There is no way back.")
            st.button(f"Delete {what} for good", type="primary", key="runs-empty-yes", on_click=actions.empty_bin)
