"""The application: `streamlit run explorer/app.py`."""

import sys
from pathlib import Path

# Streamlit puts this file's own folder on the path; from there every module would load a second time under another
# name. The project's folder takes its place.
_HERE = Path(__file__).resolve().parent
sys.path[:] = [str(_HERE.parent), *(p for p in sys.path if Path(p or ".").resolve() not in (_HERE, _HERE.parent))]

# Altair and others look whether pandas is loaded, and would find half of it while another session loads it.
import pandas as pd  # noqa: F401
import streamlit as st

from explorer.ui.kit import address, messages, sidebar, state

_PAGES: tuple[tuple[state.PageName, str], ...] = (
    ("home", ":material/home:"),
    ("train", ":material/model_training:"),
    ("runs", ":material/table_rows:"),
    ("duel", ":material/compare_arrows:"),
    ("evaluate", ":material/grid_on:"),
    ("explain", ":material/visibility:"),
    ("inside", ":material/hub:"),
    ("draw", ":material/draw:"),
)

st.set_page_config(
    page_title="Fashion-MNIST Explorer",
    page_icon=str(_HERE / "ui" / "icon.svg"),
    layout="wide",
    menu_items={"About": "Train a small image classifier and look inside it."},
)
_page = st.navigation(
    [
        st.Page(state.page_file(name), title=name.capitalize(), icon=icon, default=name == "home")
        for name, icon in _PAGES
        if state.page_exists(name)
    ]
)
st.html(_HERE / "ui" / "page.css")
state.follow()
address.turn_to(_page.url_path)
with messages.contained(), messages.shown():
    sidebar.show(_page.url_path)
    _page.run()
