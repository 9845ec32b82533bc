// The small row of buttons below a picture: each does what a key of the viewer does, and says which.

import { make } from "./make.js";

export class ViewBar {
  constructor(viewer) {
    this.viewer = viewer;
    this.node = make("div", "viewbar");
    this.node.setAttribute("role", "toolbar");
    this.node.setAttribute("aria-label", "View of the picture");
    this.percent = make("span", "percent");
    const { view } = viewer;
    const change = (work) => () => viewer.act(work);
    this.buttons = {
      out: button("−", "Zoom out", "-", change(() => view.step(-1))),
      in: button("+", "Zoom in", "+", change(() => view.step(1))),
      whole: button("Whole", "See the whole picture", "Shift+F", change(() => view.fit("whole"))),
      fill: button("Fit width", "Fill the frame", "Shift+W", change(() => view.fit("fill"))),
      original: button("1:1", "One pixel of the picture for one of the page", "Shift+O", () => viewer.original()),
      turn: button("Turn", "Turn the picture right", "Shift+R", change(() => view.rotate(1))),
      light: button("Light", "Brightness and contrast", "Shift+B", () => viewer.openLight(!viewer.light.isOpen)),
      plain: button("On white", "Transparency on white, as the model sees it", "Shift+T", () =>
        viewer.setPlain(!viewer.plain),
      ),
    };
    const { out, in: zoomIn, ...others } = this.buttons;
    this.node.append(out, this.percent, zoomIn, ...Object.values(others));
  }

  draw() {
    const { view, shown, light, plain } = this.viewer;
    const { whole, fill, light: lit, plain: white } = this.buttons;
    for (const node of Object.values(this.buttons)) node.disabled = shown === null;
    this.percent.textContent = shown === null ? "" : `${Math.round(100 * view.scale)}\u00a0%`;
    whole.setAttribute("aria-pressed", String(view.mode === "whole"));
    fill.setAttribute("aria-pressed", String(view.mode === "fill"));
    fill.write(view.fillsWidth ? "Fit width" : "Fit height");
    lit.setAttribute("aria-pressed", String(!light.neutral));
    lit.setAttribute("aria-expanded", String(light.isOpen));
    white.setAttribute("aria-pressed", String(plain));
    white.hidden = !shown?.transparent;
  }
}

function button(text, name, shortcut, onClick) {
  const node = make("button", "view-button");
  node.type = "button";
  const label = make("span", "label");
  node.append(label);
  // Who steers the browser by voice says what is written on the button: its name holds these words.
  node.write = (words) => {
    label.textContent = words;
    const held = !/[\p{L}\p{N}]/u.test(words) || name.toLowerCase().includes(words.toLowerCase());
    node.setAttribute("aria-label", held ? name : `${words}: ${name}`);
  };
  node.write(text);
  node.setAttribute("aria-keyshortcuts", shortcut);
  node.title = `${name} (${shortcut})`;
  node.addEventListener("click", (event) => {
    // Without this, Enter would press the clicked button again instead of accepting.
    if (event.detail > 0) node.blur();
    onClick();
  });
  return node;
}
