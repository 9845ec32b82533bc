// A list of images that one page hands to the gallery: it is read once, in the same tab.

const key = (project) => `alworkbench-handover-${project}`;

// list: {region, words}, where `region` is a filter of the gallery.
export function handOver(project, list) {
  sessionStorage.setItem(key(project), JSON.stringify(list));
}

// What was handed over, or null.
export function takeOver(project) {
  const found = sessionStorage.getItem(key(project));
  sessionStorage.removeItem(key(project));
  return found === null ? null : JSON.parse(found);
}
