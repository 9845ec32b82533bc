"""Report: pages, tables and pictures of simulations."""
