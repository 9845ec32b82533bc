"""The parts of the service, one use of a project each; `alworkbench.project.workbench` joins them.

    project     one project, open: what every use of it shares
    reading     what a project holds, for screens and commands      status   the project at a glance
    taking_in   images, features, targets and labels come in, labels go out
    posteriors  fitted, taken in, written out, described
    answering   items leased, answers stored, the newest taken back
    learning    labels become learners, and learners are measured
    asking      the pool ranked, a round opened, its cost foretold, an image explained
    auditing    the audit set drawn, and the advice that rests on it

Each is a class over `project.OpenProject` with the methods of its use; `learning` and `posteriors` are
built upon by what needs them. What is computed is computed outside of any transaction and published in
one short one. Computing is serialised; nothing that only reads or records waits for it.
"""
