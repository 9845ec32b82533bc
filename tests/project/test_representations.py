"""How a workbench and its status show themselves in a notebook and in a terminal."""

from dataclasses import replace


def test_a_status_shows_all_figures_in_words_and_as_a_table(workbench):
    status = workbench.status()
    shown = str(status)
    for name, words in status.facts():
        assert any(line.startswith(name) and line.endswith(words) for line in shown.splitlines())
        assert name in status._repr_html_()
    assert status.next_step in repr(status)
    assert "\n" not in repr(status)


def test_names_are_no_markup_in_a_notebook(workbench):
    status = replace(workbench.status(), name="<script>&")
    assert "&lt;script&gt;&amp;" in status._repr_html_()
    assert "<script>" not in status._repr_html_()


def test_a_workbench_shows_its_status_while_it_is_open(workbench):
    assert workbench._repr_html_() == workbench.status()._repr_html_()
    assert str(workbench.session.folder.path) in repr(workbench)
    workbench.close()
    assert workbench._repr_html_() is None
    assert str(workbench.session.folder.path) in repr(workbench)
