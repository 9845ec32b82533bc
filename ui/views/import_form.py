"""The form of the import page: what is brought, from where, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from alworkbench.core.domain import RoleMismatch
from alworkbench.core.errors import WorkbenchError
from alworkbench.inputs.label_formats.mapping import read_split_map
from alworkbench.inputs.label_formats.registry import FORMATS
from alworkbench.project.import_orders import Brought, ImportOrder
from alworkbench.project.import_reports import ImportReport
from alworkbench.project.incoming import kind_of
from ui.door.limits import MOST_UPLOAD
from ui.state import UiState
from ui.views.parts import escape_markdown, with_commands
from ui.views.work import asked_by

SERVER, FILES, FOLDER = (
    "A place on the server",
    "Files of this computer",
    "A folder of this computer",
)
_BROUGHT = {Brought.IMAGES: "Images", Brought.LABELS: "Labels", Brought.FEATURES: "Features"}
_WHAT = {
    Brought.IMAGES: "A folder of pictures, a CSV manifest, or a zip or tar archive. Unreadable files are "
    "listed and left out.",
    Brought.LABELS: "A file or folder with labels of images that are in the project: a table with the "
    "columns image and label, or an export in one of the formats below.",
    Brought.FEATURES: "A .npz file with features of images that are in the project, in place of encoding.",
}
_ROLES = {
    RoleMismatch.REFUSE: "Refuse the source",
    RoleMismatch.KEEP: "Keep the role in the project",
    RoleMismatch.CHANGE: "Change it to that of the source",
    RoleMismatch.LEAVE_OUT: "Leave out these labels",
}
_SENT = "import-sent"
_NOTHING_STORED = "Nothing is stored by this."
_ANY = "found out by a look at it"


def import_form(state: UiState, *, busy: bool) -> None:
    """Draw the form. Its button lets the server look at the source; nothing is imported by it."""
    st.header("What do you bring?", anchor=False)
    what = st.segmented_control(
        "Kind",
        list(Brought),
        default=Brought.IMAGES,
        format_func=_BROUGHT.__getitem__,
        key="import-what",
        required=True,
        label_visibility="collapsed",
    )
    what = Brought(what or Brought.IMAGES)
    st.caption(_WHAT[what])
    places = [SERVER, FILES, FOLDER] if what is Brought.IMAGES else [SERVER, FILES]
    place = st.radio("From where", places, horizontal=True, key="import-from")
    before: ImportOrder | None = None
    source: str | list[Any]
    if place == SERVER:
        source = st.text_input(
            "Folder or file",
            key="import-path",
            placeholder="/data/photos",
            help="The whole path, as the server sees it. It must stay there: pictures are read again later.",
        ).strip()
    else:
        before = state.workbench.incoming.sent_before()
        found = st.file_uploader(
            f"Files, at most {MOST_UPLOAD // 2**20} MB each. For more, copy them to the server.",
            accept_multiple_files="directory" if place == FOLDER else True,
            # A new key empties the field, and Streamlit lets go of the files.
            key=f"import-files-{place == FOLDER}-{st.session_state.get(_SENT, 0)}",
            max_upload_size=MOST_UPLOAD // 2**20,
        )
        source = list(found or [])
        if before is not None:
            words = f"{before.name} was sent already. Send other files, or look at it again."
            st.caption(escape_markdown(words))
    options = _options(what)
    with st.container(horizontal=True):
        # A press while files arrive would find none, and their arrival would draw the page again without
        # an answer to the press.
        waits = busy or source == []
        if st.button("Look at it", key="import-look", disabled=waits, help=_NOTHING_STORED):
            _look(state, what, source, options)
        if before is not None and st.button(
            "Look at it again", key="import-look-again", disabled=busy, help=_NOTHING_STORED
        ):
            _look(state, what, str(before.location), options)


def newest_report(state: UiState) -> ImportReport | None:
    """The report of the newest import, encoding or look; None before the first."""
    return next((each for each in state.workbench.incoming.reports() if not each.exported), None)


def with_order(do: str, order: ImportOrder) -> dict[str, Any]:
    """The order of a job."""
    return {"do": do, "order": order.model_dump(mode="json")}


def _order(what: Brought, location: Path, **options: Any) -> ImportOrder:
    return ImportOrder(what=what, location=location, **options)


def _options(what: Brought) -> dict[str, Any]:
    """The options that are drawn for this kind, by the names of `ImportOrder`."""
    found: dict[str, Any] = {}
    if what is Brought.FEATURES:
        return found
    if what is Brought.IMAGES:
        found["audit"] = st.checkbox(
            "All of them are for the audit set",
            key="import-audit-set",
            help="It measures the model, which never learns from it. Labels of an audit set are recorded.",
        )
        found["pool_labels"] = st.checkbox(
            "Record the labels of pool images too",
            key="import-labels",
            help="The names of class folders, or the column label of a manifest.",
        )
    else:
        found["history"] = st.checkbox(
            "Record the history of an export as it was: persons, times, rounds, take-backs",
            key="import-history",
        )
        if not found["history"]:
            found["annotator"] = st.text_input(
                "Who gave these labels",
                value="csv",
                max_chars=80,
                key="import-annotator",
                help="They replace older answers of this name only.",
            )
    with st.expander("More about how it is read"):
        if what is Brought.LABELS:
            names = [None, *(each.name for each in FORMATS)]
            titles = {each.name: f"{each.name}: {each.title}" for each in FORMATS}
            found["format"] = st.selectbox(
                "Format",
                names,
                format_func=lambda name: titles.get(name or "", _ANY),
                key="import-format",
            )
        found["roles"] = st.selectbox(
            "Where the source gives an image another role (pool, audit set) than the project",
            list(RoleMismatch),
            format_func=_ROLES.__getitem__,
            key="import-roles",
        )
        if not found.get("history"):
            found |= _columns()
        if what is Brought.IMAGES:
            found["follow_links"] = st.checkbox(
                "Read what links lead to outside of the folder", key="import-links"
            )
            found["white_point"] = st.number_input(
                "White in files of 16 bits that do not say so",
                min_value=255,
                max_value=65535,
                value=None,
                step=1,
                key="import-white",
                placeholder="that of the project, or 65535",
            )
    return found


def _columns() -> dict[str, str]:
    """How the columns of a table are named."""
    left, right = st.columns(2)
    texts = {
        "path_column": left.text_input("Column with the paths", key="import-path-column"),
        "label_column": right.text_input("Column with the classes", key="import-label-column"),
        "split_map": left.text_input(
            "What splits mean", placeholder="train=pool,test=audit", key="import-splits"
        ),
        "root": right.text_input("Folder that paths are relative to", key="import-root"),
    }
    return {name: text.strip() for name, text in texts.items() if text.strip()}


def _look(
    state: UiState, what: Brought, source: str | list[Any], options: Mapping[str, Any]
) -> None:
    """Queue the dry run; what cannot be one is said at once.

    `source` is the path of a place on the server, or the files that were sent.
    """
    incoming = state.workbench.incoming
    path, files = (source, None) if isinstance(source, str) else ("", source)
    if files is None and not Path(path).is_absolute():
        st.error("Give the whole path of a folder or file on the server, such as /data/photos.")
        return
    try:
        given = dict(options)
        given["split_map"] = read_split_map(given.get("split_map", ""))
        order = _order(what, Path(path), **given)
        order.refuse_contradictions()
        if files is not None:  # stored once everything else is right
            location = incoming.uploads.keep([(each.name, each) for each in files])
            order = _order(what, location, **given)
    except (WorkbenchError, ValueError) as problem:
        st.error(with_commands(str(problem)))
        return
    earlier = newest_report(state)
    if not state.jobs.start(
        kind_of(order), f"look at {order.name}", asked_by(state), with_order("check", order)
    ):
        if files is not None:
            incoming.uploads.discard(order.location)
        st.error("Another import or encoding runs. Wait for its end, or cancel it.")
        return
    if files is not None:
        st.session_state[_SENT] = st.session_state.get(_SENT, 0) + 1
    if earlier is not None:
        incoming.drop(earlier, still=order.location)  # nobody can import it any more
    st.rerun()
