// The picture of the case on the screen: keys count from the frame in which it is painted.

import { Pictures, sideFor } from "../shared/pictures.js";

export class Stage {
  constructor(page) {
    this.page = page;
    this.pictures = new Pictures({
      onReady: (url) => this.onPicture(url),
      onMissing: (url) => this.onMissing(url),
      side: () => sideFor(page.screen.viewer.area, page.data.sides),
    });
  }

  paint() {
    const { page } = this;
    const { current } = page.shown;
    const found = this.pictures.get(current.image_url);
    if (!found.ready) {
      page.screen.viewer.say("Loading the image");
      return;
    }
    page.screen.viewer.show({
      picture: found.picture,
      alt: `The image of case ${current.case_id}`,
      width: current.width,
      height: current.height,
      full: current.image_url,
      transparent: found.transparent,
    });
    requestAnimationFrame(() => {
      if (page.shown.current !== current || page.stopped) return;
      page.shown.painted = true;
      page.shown.missing = false;
      page.exposure.begin();
      page.draw();
    });
  }

  onPicture(url) {
    const { current, painted } = this.page.shown;
    if (current?.image_url === url && !painted) this.paint();
  }

  onMissing(url) {
    const { page } = this;
    if (page.shown.current?.image_url !== url || page.shown.painted) return;
    page.shown.missing = true;
    page.exposure.begin();
    page.screen.viewer.say("The file of this image is gone or was changed.");
    page.draw();
  }
}
