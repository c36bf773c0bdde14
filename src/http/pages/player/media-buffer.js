// What arrives goes into one SourceBuffer, in order: formats, timeline origins, bytes. Everything here is bounded.
//
// The server's rules (H5Live): an init segment is one message; a message that begins with another box than the known
// ones continues the message before it. MSE parses byte streams, so messages are appended at once, whole or not.

const KEEP_BEHIND_S = 10;
const TRIM_BEHIND_S = 20;
const QUEUE_BYTES = 16 * 1024 * 1024;
const QUEUE_PARTS = 2000;
const APPEND_BYTES = 1024 * 1024;
const POINT_WAIT_MS = 1000;
const ARRIVALS = 600;

const INIT_BOXES = new Set(["ftyp", "moov"]);
const MEDIA_BOXES = new Set(["moof", "styp", "sidx", "prft", "emsg"]);

const Source = globalThis.MediaSource ?? globalThis.ManagedMediaSource;

/** Whether this browser can play by Media Source Extensions, and whether it knows a codec string. */
export const canPlay = (mimeType) => Boolean(Source) && (!mimeType || Source.isTypeSupported(mimeType));

export class MediaBuffer {
  #video;
  #handlers;
  #mediaSource = null;
  #sourceBuffer = null;
  #address = "";
  #mimeType = "";
  #tracks = "";
  #queue = [];
  #queuedBytes = 0;
  #appending = null;
  #awaitingPoint = false;
  #pointTimer = 0;
  #kind = "init";
  #nextIsKey = false;
  #skipping = false;
  #arrivals = [];

  /** `handlers`: `appended(endSeconds)`, `failed(reason)`. */
  constructor(video, handlers) {
    this.#video = video;
    this.#handlers = handlers;
  }

  /** A new timeline in this format: what has not been appended yet is dropped. */
  begin(mimeType, tracks) {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#skipping = false;
    this.#nextIsKey = false;
    this.#kind = "init";
    this.#queue.push({ format: mimeType, tracks, fresh: true });
    if (!this.#mediaSource || this.#tracks !== tracks) this.#rebuild(tracks);
    this.#pump();
  }

  /** Another format on the same timeline. */
  change(mimeType, tracks) {
    if (this.#tracks !== tracks) return this.begin(mimeType, tracks);
    this.#queue.push({ format: mimeType, tracks, fresh: false });
    this.#pump();
  }

  /** The next fragment begins with a keyframe whose time on the server's timeline is `seconds`. */
  point(seconds) {
    this.#nextIsKey = true;
    this.#skipping = false;
    this.#queue.push({ point: seconds });
    this.#pump();
  }

  /** One binary message, which arrived at `at` (milliseconds, performance.now()). */
  push(data, at) {
    const bytes = new Uint8Array(data);
    const box = bytes.length < 8 ? "" : String.fromCharCode(...bytes.subarray(4, 8));
    if (INIT_BOXES.has(box)) this.#kind = "init";
    else if (MEDIA_BOXES.has(box)) this.#kind = "media";
    if (this.#skipping && this.#kind === "media") return;
    this.#queue.push({ bytes, media: this.#kind === "media", key: this.#nextIsKey, at });
    this.#queuedBytes += bytes.length;
    if (this.#kind === "media") this.#nextIsKey = false;
    if (this.#queuedBytes > QUEUE_BYTES || this.#queue.length > QUEUE_PARTS) this.#skipToKeyframe();
    this.#pump();
  }

  /** Forgets everything and frees the decoder. */
  reset() {
    clearTimeout(this.#pointTimer);
    this.#pointTimer = 0;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#appending = null;
    this.#arrivals = [];
    this.#mediaSource = null;
    this.#sourceBuffer = null;
    this.#tracks = "";
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = "";
    if (this.#video.hasAttribute("src")) {
      this.#video.removeAttribute("src");
      this.#video.load();
    }
  }

  get drained() {
    return this.#queue.length === 0 && !this.#appending;
  }

  get queued() {
    return this.#queue.length;
  }

  get timestampOffset() {
    return this.#sourceBuffer?.timestampOffset ?? 0;
  }

  /** `[start, end]` pairs, in seconds of the video element's timeline. */
  get ranges() {
    const buffered = this.#attached ? this.#sourceBuffer.buffered : { length: 0 };
    return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
  }

  get end() {
    return this.ranges.at(-1)?.[1] ?? 0;
  }

  /** Milliseconds (performance.now()) when what is shown at `seconds` arrived here, or NaN. */
  arrivalOf(seconds) {
    return this.#arrivals.find(({ end }) => end >= seconds)?.at ?? NaN;
  }

  get #attached() {
    return this.#sourceBuffer !== null && this.#mediaSource?.readyState !== "closed";
  }

  #rebuild(tracks) {
    const queue = this.#queue;
    this.reset();
    this.#queue = queue;
    this.#tracks = tracks;
    const mediaSource = new Source();
    this.#mediaSource = mediaSource;
    mediaSource.addEventListener("sourceopen", () => this.#pump(), { once: true });
    this.#address = URL.createObjectURL(mediaSource);
    this.#video.src = this.#address;
  }

  // Keeps the formats and what begins at the newest keyframe, if that is little enough; else waits for the next one.
  #skipToKeyframe() {
    const key = this.#queue.findLastIndex((part) => part.key);
    const fromKey = this.#queue.filter((part, index) => !part.media || (key >= 0 && index >= key));
    const fits = key > 0 && size(fromKey) <= QUEUE_BYTES / 2 && fromKey.length <= QUEUE_PARTS / 2;
    this.#queue = fits ? fromKey : this.#queue.filter((part) => !part.media);
    this.#queuedBytes = size(this.#queue);
    this.#skipping = !fits;
    if (this.#queuedBytes > QUEUE_BYTES || this.#queue.length > QUEUE_PARTS) this.#handlers.failed("QueueOverflow");
  }

  #pump() {
    try {
      while (this.#step());
    } catch (error) {
      this.#handlers.failed(error.name ?? "Error");
    }
  }

  // One step of the queue; false when there is nothing to do, or an event must come first.
  #step() {
    if (this.#mediaSource?.readyState !== "open" || this.#sourceBuffer?.updating) return false;
    const part = this.#queue[0];
    if (!part) return this.#trim();
    if (part.format) return this.#setFormat(this.#queue.shift());
    if (!this.#sourceBuffer) return false;
    if (part.point !== undefined) return this.#setOrigin(this.#queue.shift().point);
    if (part.media && this.#awaitingPoint) return this.#holdForPoint();
    return this.#append();
  }

  #setFormat({ format, fresh }) {
    if (!this.#sourceBuffer) this.#attach(format);
    else {
      if (fresh) this.#sourceBuffer.abort();
      if (format !== this.#mimeType) this.#sourceBuffer.changeType(format);
    }
    this.#mimeType = format;
    if (fresh) {
      this.#awaitingPoint = true;
      this.#sourceBuffer.mode = "segments";
    }
    return true;
  }

  #attach(format) {
    const buffer = this.#mediaSource.addSourceBuffer(format);
    this.#sourceBuffer = buffer;
    buffer.addEventListener("updateend", () => {
      if (buffer !== this.#sourceBuffer) return;
      this.#noteArrival();
      this.#pump();
    });
    buffer.addEventListener("error", () => {
      if (buffer === this.#sourceBuffer) this.#handlers.failed("AppendError");
    });
  }

  // Only the first point of a timeline moves it: playback goes on where the buffer ends, or starts at 0.
  #setOrigin(seconds) {
    if (!this.#awaitingPoint) return true;
    clearTimeout(this.#pointTimer);
    this.#pointTimer = 0;
    this.#awaitingPoint = false;
    this.#arrivals = [];
    this.#sourceBuffer.timestampOffset = (this.end || this.#video.currentTime) - seconds;
    return true;
  }

  // Media before any point: what stands before the point cannot be decoded; a server that never sends one is
  // played in sequence mode.
  #holdForPoint() {
    const point = this.#queue.findIndex((part) => part.point !== undefined);
    if (point >= 0) {
      this.#queue = this.#queue.filter((part, index) => !part.media || index > point);
      this.#queuedBytes = size(this.#queue);
      return true;
    }
    this.#pointTimer ||= setTimeout(() => {
      this.#pointTimer = 0;
      if (!this.#awaitingPoint || !this.#attached) return;
      this.#awaitingPoint = false;
      this.#arrivals = [];
      this.#sourceBuffer.mode = "sequence";
      this.#pump();
    }, POINT_WAIT_MS);
    return false;
  }

  // A burst of small messages is appended in one piece: each append costs a round trip through the event loop.
  #append() {
    const parts = [];
    let length = 0;
    while (this.#queue.length && (parts.length === 0 || length < APPEND_BYTES)) {
      const part = this.#queue[0];
      if (part.format || (part.media && this.#awaitingPoint)) break;
      if (part.point !== undefined) {
        if (this.#awaitingPoint) break;
      } else {
        parts.push(part);
        length += part.bytes.length;
      }
      this.#queue.shift();
    }
    if (parts.length === 0) return true;
    let bytes = parts[0].bytes;
    if (parts.length > 1) {
      bytes = new Uint8Array(length);
      let at = 0;
      for (const part of parts) {
        bytes.set(part.bytes, at);
        at += part.bytes.length;
      }
    }
    try {
      this.#sourceBuffer.appendBuffer(bytes);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      return this.#makeRoom(parts);
    }
    this.#queuedBytes -= length;
    this.#appending = parts.at(-1);
    return true;
  }

  #makeRoom(parts) {
    const before = this.#video.currentTime - 1;
    const start = this.ranges[0]?.[0] ?? 0;
    if (before > start) {
      this.#queue.unshift(...parts);
      this.#sourceBuffer.remove(0, before);
    } else {
      // Everything is ahead of us: give it up and start again at the next keyframe.
      this.#skipToKeyframe();
      this.#sourceBuffer.remove(this.#video.currentTime + 0.5, Infinity);
    }
    return true;
  }

  #noteArrival() {
    const part = this.#appending;
    this.#appending = null;
    if (!part?.media) return;
    const end = this.end;
    this.#arrivals.push({ end, at: part.at });
    if (this.#arrivals.length > ARRIVALS) this.#arrivals.shift();
    this.#handlers.appended(end);
  }

  #trim() {
    const start = this.#attached ? this.ranges[0]?.[0] : undefined;
    const now = this.#video.currentTime;
    if (start === undefined || start > now - TRIM_BEHIND_S) return false;
    this.#sourceBuffer.remove(0, now - KEEP_BEHIND_S);
    return true;
  }
}

function size(parts) {
  return parts.reduce((sum, part) => sum + (part.bytes?.length ?? 0), 0);
}
