"""Inside: the network's weights, what its layers answer, and what each unit is good for."""

import streamlit as st

from explorer.ui.inside import ablation, activations, arithmetic, embedding, filters, saving, units, weights
from explorer.ui.inside.results import subject
from explorer.ui.kit import controls

SECTIONS = {
    "filters": ("Filters", filters.show),
    "activations": ("Activations", activations.show),
    "weights": ("Weights", weights.show),
    "units": ("Units", units.show),
    "output": ("One output", arithmetic.show),
    "map": ("Map", embedding.show),
    "ablate": ("Ablate", ablation.show),
    "save": ("Save", saving.show),
}

st.title("Inside")
chosen = subject()
titles = {name: title for name, (title, _) in SECTIONS.items()}
section = controls.segments("Section", titles, "inside", labelled=False)
SECTIONS[section][1](chosen)
