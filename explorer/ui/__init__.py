"""Everything that touches Streamlit or Altair."""
