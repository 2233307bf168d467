"""Inside: the network's weights, what its layers answer, and what each unit is good for."""

import streamlit as st

from explorer.ui import controls
from explorer.ui.inside import ablate, activations, filters, maps, output, save, units, weights
from explorer.ui.inside.subject import subject

SECTIONS = {
    "filters": ("Filters", filters.show),
    "activations": ("Activations", activations.show),
    "weights": ("Weights", weights.show),
    "units": ("Units", units.show),
    "output": ("One output", output.show),
    "map": ("Map", maps.show),
    "ablate": ("Ablate", ablate.show),
    "save": ("Save", save.show),
}

st.title("Inside")
chosen = subject()
titles = {name: title for name, (title, _) in SECTIONS.items()}
section = controls.segments("Section", titles, "inside", labelled=False)
SECTIONS[section][1](chosen)
