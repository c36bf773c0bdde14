// How far behind the newest frame to stay, and how to get there. Pure: the time and the buffer are passed in.
//
// All figures are seconds. "Ahead" is what is buffered after the current position.

const FLOOR = 0.25;
const CEILING = 2;
const MARGIN = 0.12;
const JITTER_WINDOW = 12;
const JITTER_SAMPLES = 600;
const QUIET_BEFORE_SHRINKING = 20;
const SHRINK_PER_SECOND = 0.02;
// A viewer does not notice a tenth more; an ear does notice more than that.
const FASTEST = 1.1;
const SLOWEST = 0.95;
const FAR_BEHIND = 3;

export class LiveEdge {
  #floor = FLOOR;
  #samples = [];
  #ignoreUntil = 0;
  #lastStall = -Infinity;
  #lastShrink = 0;
  #correcting = 0;

  /** A new timeline begins: its opening burst says nothing about the network. */
  restart(now) {
    this.#samples = [];
    this.#ignoreUntil = now + 0.4;
    this.#correcting = 0;
  }

  /** The buffer's end became `end` at `now`. */
  arrived(now, end) {
    if (now < this.#ignoreUntil) return;
    this.#samples.push({ now, late: now - end });
    while (this.#samples.length > JITTER_SAMPLES || this.#samples[0].now < now - JITTER_WINDOW) this.#samples.shift();
  }

  /** Playback ran dry. */
  stalled(now) {
    this.#floor = Math.min(this.#floor * 1.5, CEILING);
    this.#lastStall = now;
  }

  /** The spread between the earliest and the latest arrival of the last seconds. */
  get jitter() {
    if (this.#samples.length === 0) return 0;
    let least = Infinity;
    let most = -Infinity;
    for (const { late } of this.#samples) {
      least = Math.min(least, late);
      most = Math.max(most, late);
    }
    return most - least;
  }

  /** How much to keep ahead. */
  get target() {
    return Math.min(Math.max(this.#floor, this.jitter + MARGIN), CEILING);
  }

  /** `{rate, jump}`: the playback rate to set, and whether to leap to `target` before the end instead. */
  decide(now, ahead) {
    this.#shrink(now);
    const target = this.target;
    const above = ahead - target;
    if (ahead > target + FAR_BEHIND) {
      this.#correcting = 0;
      return { rate: 1, jump: true };
    }
    // Begin late and end early, so that the rate does not flutter around the target.
    if (above > 0.15) this.#correcting = 1;
    else if (above < -0.5 * target) this.#correcting = -1;
    else if (this.#correcting > 0 && above < 0.03) this.#correcting = 0;
    else if (this.#correcting < 0 && above > -0.15 * target) this.#correcting = 0;

    if (this.#correcting > 0) return { rate: above > 0.5 ? FASTEST : 1.05, jump: false };
    return { rate: this.#correcting < 0 ? SLOWEST : 1, jump: false };
  }

  #shrink(now) {
    const elapsed = Math.min(now - this.#lastShrink, 1);
    this.#lastShrink = now;
    if (now - this.#lastStall < QUIET_BEFORE_SHRINKING) return;
    this.#floor = Math.max(FLOOR, this.#floor - SHRINK_PER_SECOND * elapsed);
  }
}
