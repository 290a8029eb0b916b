"""Charts of a topic as SVG, PNG and Vega-Lite, drawn from one description."""
