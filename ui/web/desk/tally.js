// How far the round is, and how long a picture was seen.

// What the server counted, and what is still to be sent: unsent() is how many answers more.
export class Tally {
  constructor(unsent) {
    this.unsent = unsent;
    this.progress = null; // null until the server has said something of this round
  }

  take(progress, roundId) {
    if (progress && progress.round_id === roundId) this.progress = progress;
  }

  get total() {
    return this.progress === null ? 0 : this.progress.total;
  }

  get counted() {
    if (this.progress === null) return 0;
    return Math.min(this.total, Math.max(0, this.progress.answered + this.unsent()));
  }

  get left() {
    return this.total - this.counted;
  }
}

// Time since a picture was painted; what it spent in a hidden tab does not count.
export class Exposure {
  constructor() {
    this.begin();
  }

  begin() {
    this.since = performance.now();
    this.hiddenMs = 0;
    this.hiddenSince = document.hidden ? this.since : null;
  }

  visibilityChanged() {
    const now = performance.now();
    if (document.hidden) this.hiddenSince = now;
    else if (this.hiddenSince !== null) {
      this.hiddenMs += now - this.hiddenSince;
      this.hiddenSince = null;
    }
  }

  get milliseconds() {
    return Math.max(0, Math.round(performance.now() - this.since - this.hiddenMs));
  }
}
