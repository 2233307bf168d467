"""The least that Streamlit can do, as a script of its own: a fragment that renews a text, and one that echoes."""

import streamlit as st

ECHO = """
export default function ({ parentElement, data, setStateValue }) {
  parentElement.querySelector("output").textContent = String(data.number);
  parentElement.querySelector("button").onclick = () => setStateValue("number", data.number + 1);
}
"""
_echo = st.components.v2.component("floor_echo", html="<button>Echo</button><output></output>", js=ECHO)


@st.fragment
def empty() -> None:
    """Renew a text."""
    st.session_state.setdefault("pressed", 0)
    if st.button("Renew", key="renew"):
        st.session_state["pressed"] += 1
    st.text(f"Number {st.session_state['pressed']}")


@st.fragment
def echo() -> None:
    """Send back what a component sends."""
    number = (st.session_state.get("echo") or {}).get("number", 0)
    _echo(key="echo", data={"number": number}, on_number_change=lambda: None)


empty()
echo()
