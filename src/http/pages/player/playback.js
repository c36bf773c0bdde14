// One viewer's playback: connects, feeds the buffer, stays near the live edge, and says what is going on.
//
// States: idle, loading, waiting (2001/2004), playing, buffering, paused, blocked (autoplay refused), source-stopped,
// reconnecting, failed.

import * as codes from "./codes.js";
import { Connection } from "./connection.js";
import { LiveEdge } from "./live-edge.js";
import { MediaBuffer, canPlay } from "./media-buffer.js";
import { randomDecimal, wireAddress } from "./parameters.js";

const LOADING_MS = 10000;
const SILENCE_MS = 15000;
const TICK_MS = 100;
const ATTEMPTS = 12;
const HEALTHY_S = 5;
const DECODER_RESTARTS = 3;
const HOLD_S = 2;
const STUCK_S = 0.3;
const FROZEN_S = 1.5;

const seconds = () => performance.now() / 1000;

export class Playback {
  #video;
  #source;
  #handlers;
  #pid = randomDecimal(11);
  #connection = null;
  #buffer;
  #edge = new LiveEdge();
  #wanted = "stop";
  #state = "idle";
  #code = 0;
  #detail = "";
  #streamInfo = null;
  #timer = { loading: 0, retry: 0, tick: 0 };
  #attempt = 0;
  #decoderRestarts = 0;
  #catchingUp = false;
  #catchUpSince = 0;
  #heldSince = 0;
  #lastMessage = 0;
  #sourceStopped = false;
  #progress = { time: 0, at: 0 };
  #playingSince = 0;
  #lastControl = 0;
  #startedAt = 0;
  #counts = { stalls: 0, reconnects: 0, jumps: 0, hops: 0 };
  #firstPicture = null;

  /** `handlers`: `changed()`, `metadata(entry)`. */
  constructor(video, source, handlers) {
    this.#video = video;
    this.#source = source;
    this.#handlers = handlers;
    this.#buffer = new MediaBuffer(video, {
      appended: (end) => {
        this.#control();
        this.#edge.arrived(seconds(), end);
      },
      failed: (reason) => this.#decoderFailed(reason),
    });
    video.addEventListener("error", () => video.error && this.#decoderFailed("MediaError"));
    video.addEventListener("waiting", () => this.#control());
    document.addEventListener("visibilitychange", () => this.#returned());
    addEventListener("online", () => this.#state === "reconnecting" && this.#open());
  }

  get source() {
    return this.#source;
  }

  /** Starts, or goes on after a pause or an end. */
  play() {
    if (this.#wanted === "play" && this.#state !== "failed") {
      if (this.#state === "blocked") {
        this.#jump();
        this.#startVideo();
      }
      return;
    }
    const resumed = this.#wanted === "pause";
    this.#wanted = "play";
    this.#attempt = 0;
    this.#startedAt = performance.now();
    this.#timer.tick ||= setInterval(() => this.#control(), TICK_MS);
    if (resumed && this.#connection?.can("onPlay")) {
      this.#connection.play();
      this.#load();
      this.#startVideo();
    } else {
      this.#open();
    }
  }

  /** Stops the media. The connection stays where the server understands onPlay. */
  pause() {
    if (this.#wanted !== "play" || this.#state === "failed") return;
    this.#wanted = "pause";
    this.#clearTimers();
    this.#video.pause();
    if (this.#connection?.can("onPause") && this.#connection.can("onPlay")) this.#connection.pause();
    else this.#disconnect();
    this.#become("paused");
  }

  /** Ends playback and frees everything. */
  stop() {
    this.#wanted = "stop";
    this.#clearTimers();
    clearInterval(this.#timer.tick);
    this.#timer.tick = 0;
    this.#disconnect();
    this.#buffer.reset();
    this.#streamInfo = null;
    this.#become("idle");
  }

  /**
   * Plays another stream, or the same with a fresh token, without a break where the server can. `change` has any of
   * `stream`, `url`, `security`, `params`, `tag`. Rejects with an Error with `code` when the server refuses; what
   * played before then goes on.
   */
  async updateSource(change) {
    const { stream, url, params } = this.#source;
    const next = { ...this.#source, stream: change.stream ?? stream, url: change.url ?? url, params: change.params ?? params };
    next.security = Object.fromEntries(
      Object.entries(change.security ?? {}).filter(([, value]) => value !== "" && value != null).map(([key, value]) => [key, String(value)]),
    );
    if (this.#connection?.can("onUpdateSource")) {
      const answer = await this.#connection.update(next, String(change.tag ?? ""));
      this.#source = next;
      this.#handlers.changed();
      return answer;
    }
    this.#source = next;
    if (this.#wanted === "play") this.#open();
    this.#handlers.changed();
    return {};
  }

  /** The figures as they are now; times in seconds, except `firstPicture` (milliseconds since play). */
  snapshot() {
    const video = this.#video;
    const quality = video.getVideoPlaybackQuality?.() ?? { totalVideoFrames: 0, droppedVideoFrames: 0 };
    const arrival = this.#buffer.arrivalOf(video.currentTime);
    const info = this.#streamInfo;
    return {
      state: this.#state,
      code: this.#code,
      message: this.message,
      stream: this.#source.stream,
      currentTime: video.currentTime,
      bufferAhead: this.#ahead,
      buffered: this.#buffer.ranges,
      target: this.#edge.target,
      jitter: this.#edge.jitter,
      latency: Number.isNaN(arrival) || this.#state !== "playing" ? null : Math.max(0, (performance.now() - arrival) / 1000),
      rate: video.playbackRate,
      timestampOffset: this.#buffer.timestampOffset,
      framesDecoded: quality.totalVideoFrames,
      framesDropped: quality.droppedVideoFrames,
      audioBytesDecoded: video.webkitAudioDecodedByteCount ?? null,
      width: video.videoWidth,
      height: video.videoHeight,
      muted: video.muted,
      streamInfo: info,
      firstPicture: this.#firstPicture,
      queued: this.#buffer.queued,
      ...this.#counts,
    };
  }

  /** What is going on, in one sentence. */
  get message() {
    if (this.#code) return codes.describe(this.#code).text;
    return this.#detail;
  }

  get #ahead() {
    const now = this.#video.currentTime;
    const range = this.#buffer.ranges.find(([start, end]) => start <= now + 0.1 && now <= end);
    return range ? range[1] - now : 0;
  }

  #become(state, code = 0, detail = "") {
    if (this.#state === state && this.#code === code && this.#detail === detail) return;
    this.#state = state;
    this.#code = code;
    this.#detail = detail;
    this.#handlers.changed();
  }

  #open() {
    this.#clearTimers();
    this.#disconnect();
    if (!canPlay()) return this.#openHls();
    this.#lastMessage = performance.now();
    this.#load();
    this.#connect([], (code) => this.#closed(code));
  }

  #connect(flags, closed) {
    const ids = { cid: randomDecimal(6), pid: this.#pid };
    try {
      this.#connection = new Connection(wireAddress(this.#source.websocket, this.#source, ids, flags), {
        info: () => this.#heard(),
        streamInfo: (info, continues) => this.#format(info, continues),
        randomAccess: (ms) => this.#wanted === "play" && this.#buffer.point(ms / 1000),
        status: (status) => this.#status(status),
        metadata: (entry) => this.#handlers.metadata(entry),
        media: (data) => this.#media(data),
        closed,
      });
    } catch {
      // A page on https may open wss only, and some addresses no browser accepts.
      this.#fail(codes.BAD_PARAMETERS);
    }
  }

  // Without MSE the browser's own HLS plays. A token is checked first by a socket, which alone can carry the reason.
  #openHls() {
    const { hls, security } = this.#source;
    if (!hls || !this.#video.canPlayType("application/vnd.apple.mpegurl")) return this.#fail(codes.NO_PLAYER);
    const start = () => {
      this.#video.src = wireAddress(hls, this.#source, { cid: randomDecimal(6), pid: this.#pid });
      this.#startVideo();
      this.#video.addEventListener("playing", () => this.#become("playing"), { once: true });
    };
    this.#load();
    if (Object.keys(security).length === 0) return start();
    this.#connect(["checkandclose"], (code) => (code === 4200 ? start() : this.#closed(code)));
  }

  #disconnect() {
    this.#connection?.close();
    this.#connection = null;
  }

  #load() {
    this.#sourceStopped = false;
    this.#become("loading", 0, "Connecting");
    this.#expectMedia(codes.NOT_LIVE);
  }

  #expectMedia(code) {
    clearTimeout(this.#timer.loading);
    this.#timer.loading = setTimeout(() => this.#become("waiting", code), LOADING_MS);
  }

  #heard() {
    this.#lastMessage = performance.now();
    if (this.#state === "loading") this.#become("loading", 0, "Waiting for the stream");
    else if (this.#state === "reconnecting") this.#load();
  }

  #format(info, continues) {
    this.#heard();
    if (this.#wanted !== "play") return;
    const mimeType = String(info.mimeType ?? "");
    if (!canPlay(mimeType)) return this.#fail(codes.CODEC_UNKNOWN);
    this.#streamInfo = info;
    this.#sourceStopped = false;
    const tracks = `${Boolean(info.haveVideo)},${Boolean(info.haveAudio)}`;
    if (continues) this.#buffer.change(mimeType, tracks);
    else {
      this.#buffer.begin(mimeType, tracks);
      this.#edge.restart(seconds());
      this.#catchingUp = true;
      this.#catchUpSince = 0;
    }
    this.#watchFirstPicture();
    this.#handlers.changed();
  }

  #media(data) {
    this.#lastMessage = performance.now();
    if (this.#wanted !== "play" || !this.#streamInfo) return;
    clearTimeout(this.#timer.loading);
    this.#catchUpSince ||= seconds();
    this.#buffer.push(data, this.#lastMessage);
  }

  #status(status) {
    this.#lastMessage = performance.now();
    if (status !== "stopped" || this.#wanted !== "play") return;
    this.#sourceStopped = true;
    this.#become("source-stopped", 0, "The source has stopped; waiting");
    this.#expectMedia(codes.SOURCE_GONE);
  }

  #closed(code) {
    this.#connection = null;
    if (this.#wanted !== "play") return;
    this.#retry(code);
  }

  #retry(code) {
    this.#clearTimers();
    const kind = codes.retryAfter(code);
    if (kind === "never" || this.#attempt >= ATTEMPTS) return this.#fail(code);
    const delay = codes.retryDelay(kind, this.#attempt++, Math.random());
    this.#counts.reconnects++;
    this.#become("reconnecting", code);
    this.#timer.retry = setTimeout(() => this.#open(), delay);
  }

  #fail(code) {
    this.#clearTimers();
    this.#disconnect();
    this.#video.pause();
    this.#become("failed", code);
  }

  #clearTimers() {
    clearTimeout(this.#timer.loading);
    clearTimeout(this.#timer.retry);
  }

  #decoderFailed() {
    if (this.#wanted !== "play" || this.#state === "failed") return;
    this.#disconnect();
    this.#buffer.reset();
    if (this.#decoderRestarts++ >= DECODER_RESTARTS) return this.#fail(codes.DECODE_FAILED);
    this.#counts.reconnects++;
    this.#become("reconnecting", codes.DECODE_FAILED);
    clearTimeout(this.#timer.retry);
    this.#timer.retry = setTimeout(() => this.#open(), codes.retryDelay("soon", this.#decoderRestarts, Math.random()));
  }

  async #startVideo() {
    try {
      await this.#video.play();
      if (this.#state === "blocked") this.#become("buffering");
    } catch (error) {
      if (error.name === "NotAllowedError" && this.#wanted === "play") this.#become("blocked", 0, "Press play to start");
    }
  }

  #watchFirstPicture() {
    if (this.#firstPicture !== null || !this.#video.requestVideoFrameCallback) return;
    this.#video.requestVideoFrameCallback(() => {
      this.#firstPicture ??= performance.now() - this.#startedAt;
    });
  }

  #returned() {
    if (document.hidden || this.#wanted !== "play" || this.#state === "blocked") return;
    if (this.#video.paused && this.#streamInfo) this.#startVideo();
    if (this.#ahead > this.#edge.target + 0.5) this.#jump();
  }

  #jump() {
    const [start, end] = this.#buffer.ranges.at(-1) ?? [0, 0];
    const to = Math.max(start, end - this.#edge.target);
    if (to <= this.#video.currentTime) return;
    this.#video.currentTime = to;
    this.#counts.jumps++;
  }

  // Runs ten times a second and after each append, so that a hidden tab, whose timers sleep, stays at the edge too.
  #control() {
    if (this.#wanted !== "play" || this.#state === "failed") return;
    if (this.#state === "reconnecting" && !this.#ahead) return;
    const now = seconds();
    // The page itself stood still: what came late for that reason says nothing about the network.
    if (now - this.#lastControl > FROZEN_S) this.#edge.restart(now);
    this.#lastControl = now;
    if (this.#silent) {
      this.#disconnect();
      return this.#retry(codes.SILENCE);
    }
    const ranges = this.#buffer.ranges;
    if (ranges.length === 0 || this.#video.seeking) return;
    if (this.#catchingUp) this.#catchUp(now);
    if (this.#video.paused) {
      if (this.#state !== "blocked") this.#startVideo();
      else if (this.#ahead > 3) this.#jump();
      return;
    }
    this.#watch(now, ranges);
    const { rate, jump } = this.#edge.decide(now, this.#ahead);
    if (jump) this.#jump();
    if (this.#holding(now)) this.#setRate(0);
    else this.#setRate(rate);
  }

  // After a new timeline's opening burst: leap to its live end. The burst is over when the queue has run empty.
  #catchUp(now) {
    if (!this.#buffer.drained || !this.#catchUpSince || now - this.#catchUpSince < 0.06) return;
    if (this.#ahead > this.#edge.target + 0.15) this.#jump();
    if (this.#ahead >= this.#edge.target || now - this.#catchUpSince > HOLD_S) this.#catchingUp = false;
  }

  // While too little is there to play smoothly the clock stands still; with a bound, for the last frames of a source.
  #holding(now) {
    if (this.#heldSince && (this.#ahead >= this.#edge.target || now - this.#heldSince > HOLD_S)) this.#heldSince = 0;
    return this.#heldSince > 0;
  }

  // A stream that was running and of which nothing comes, not even that it stopped: the connection is dead.
  get #silent() {
    const running = this.#state === "playing" || this.#state === "buffering";
    return running && this.#connection !== null && performance.now() - this.#lastMessage > SILENCE_MS;
  }

  #setRate(rate) {
    if (this.#video.playbackRate !== rate) this.#video.playbackRate = rate;
  }

  #watch(now, ranges) {
    const time = this.#video.currentTime;
    const moved = time !== this.#progress.time;
    if (moved) this.#progress = { time, at: now };
    const dry = this.#ahead < 0.03;
    if (dry && !this.#heldSince) {
      this.#heldSince = now;
      if (this.#state === "playing") {
        this.#counts.stalls++;
        this.#edge.stalled(now);
        this.#become("buffering", 0, "Buffering");
      }
    }
    if (moved && !dry && !this.#heldSince && !this.#sourceStopped && this.#connection && this.#state !== "playing" && this.#state !== "reconnecting") {
      this.#playingSince = now;
      this.#become("playing");
    }
    if (this.#state === "playing" && now - this.#playingSince > HEALTHY_S) {
      this.#attempt = 0;
      this.#decoderRestarts = 0;
    }
    if (moved || now - this.#progress.at < STUCK_S) return;
    const gap = ranges.find(([start]) => start > time);
    if (dry && gap) this.#hop(now, gap[0] + 0.01);
    else if (!this.#heldSince && this.#ahead > 0.5 && now - this.#progress.at > 4 * STUCK_S) this.#hop(now, time + 0.1);
  }

  #hop(now, to) {
    this.#counts.hops++;
    this.#progress = { time: to, at: now };
    this.#video.currentTime = to;
  }
}
