"""Home: what this is, what is there, and where to start."""

import streamlit as st

from explorer.data import catalog
from explorer.ui.home import overview
from explorer.ui.home.upload import upload_checkpoint
from explorer.ui.kit import checkpoints, messages, state
from explorer.ui.kit.text import markdown

st.title("Fashion-MNIST Explorer")
st.markdown(
    "Train a small image classifier, then look inside it: what it confuses, which pixels decide, "
    "and what it says of a thing that you draw yourself."
)

overview.in_one_picture()

st.header("Checkpoints")
found = checkpoints.load()
if found.entries:
    st.caption("A checkpoint is a trained model in a file. Choose the one to look at in the sidebar.")
    overview.checkpoints(found.entries)
else:
    with st.container(border=True):
        st.markdown("**There is no checkpoint yet.** A checkpoint is a trained model in a file.")
        st.markdown("Train one first, or bring one of your own.")
        if state.page_exists("train"):
            st.button("Train a model", key="empty-train", type="primary", on_click=state.go, args=("train",))
for problem in found.problems:
    st.warning(markdown(problem), icon=":material/warning:")

st.header("A checkpoint from elsewhere")
with messages.shown():
    upload_checkpoint()

st.header("Data sets")
overview.datasets([catalog.get(name) for name in catalog.names()])

st.header("This computer")
st.markdown(f"Computing on: **{markdown(overview.device())}**. Runs and imports are kept on this machine only.")
