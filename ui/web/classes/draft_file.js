// A draft as a file: the form that `alworkbench classes list --json` prints and `classes apply` reads.

import { make } from "../shared/make.js";
import { press } from "./fields.js";

const MOST_BYTES = 4_000_000; // as the server takes them

// record(): the draft as it is now. onOpen(record, name): a file was read. onFault(words): it cannot be read.
export function draftFile(record, onOpen, onFault) {
  const choose = make("input");
  choose.type = "file";
  choose.accept = "application/json,.json";
  choose.hidden = true;
  choose.setAttribute("aria-label", "File with a class list");
  choose.addEventListener("change", async () => {
    const [file] = choose.files;
    choose.value = ""; // the same file can be opened again
    if (!file) return;
    if (file.size > MOST_BYTES) onFault(`${file.name} has more than ${MOST_BYTES / 1e6} MB. A class list is smaller.`);
    else {
      try {
        onOpen(JSON.parse(await file.text()), file.name);
      } catch {
        onFault(`${file.name} is no JSON. Save the list here, edit that file, and open it again.`);
      }
    }
  });
  const save = press("Save as a file", () => {
    const text = `${JSON.stringify(record(), null, 2)}\n`;
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "classes.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
  return [press("Open a file …", () => choose.click()), save, choose];
}
