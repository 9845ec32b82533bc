// Which pictures were on the screen, and which are gone: what nobody saw is not answered.

const RETRY_MS = 1500; // between two tries of a picture

export class Seen {
  constructor(grid) {
    this.grid = grid;
    this.painted = new Set(); // ids of items whose picture was on the screen
    this.missing = new Set(); // ids of items whose file is gone: they can be skipped only
  }

  onSeen(image) {
    this.painted.add(image.id);
    this.missing.delete(image.id);
  }

  async onLost(image, cell) {
    if (image === null) return;
    try {
      const response = await fetch(cell.address, { credentials: "same-origin", cache: "no-store" });
      if (response.status === 404) {
        this.missing.add(image.id);
        return;
      }
    } catch {
      // No connection: the answer to that is to try again.
    }
    setTimeout(() => {
      if (this.grid.stopped || cell.image?.id !== image.id) return;
      cell.address = null;
      this.grid.view.draw();
    }, RETRY_MS);
  }
}
