"""One project in which people label images: `workbench.Workbench` joins the objects of this room."""
