// The page around the playback: shows its state, offers its buttons, and gives it to scripts as `window.h5live`.
// What comes from outside is only ever set as text.

import { describe } from "./player/codes.js";
import { ownWebSocket, readParameters } from "./player/parameters.js";
import { Playback } from "./player/playback.js";

const METADATA_SHOWN = 20;
const METADATA_LENGTH = 4000;
const FIGURES_MS = 250;

const STATES = {
  idle: "Stopped",
  loading: "Connecting",
  waiting: "Waiting",
  playing: "Live",
  buffering: "Buffering",
  paused: "Paused",
  blocked: "Ready",
  "source-stopped": "Source stopped",
  reconnecting: "Reconnecting",
  failed: "Not playing",
};
// Where the button starts rather than stops.
const RESTING = new Set(["paused", "idle", "failed", "blocked"]);
const SPINNING = new Set(["loading", "waiting", "buffering", "source-stopped", "reconnecting"]);

const element = (id) => document.getElementById(id);
const video = element("video");
const { source, problem } = readParameters(location);
let seen = 0;

const playback = new Playback(video, source, { changed: show, metadata: showMetadata });

// What scripts may call. A page that gets a fresh token before the last one expires plays on without a break:
//   await h5live.updateSource({ security: { expires, tag, token, options } });
// It rejects with an Error whose `code` is the server's (4901, 4903); what plays then goes on until its own expiry.
window.h5live = Object.freeze({
  play: () => playback.play(),
  pause: () => playback.pause(),
  stop: () => playback.stop(),
  updateSource: (change) => playback.updateSource(change),
  snapshot: () => playback.snapshot(),
});

// As attribute only, a script-made change of `muted` would not count for autoplay in every browser.
video.muted = true;
fillForm();
connectControls();
show();
if (source.stream && !problem) playback.play();
setInterval(showFigures, FIGURES_MS);

function show() {
  const { state, code, message, stream, streamInfo } = playback.snapshot();
  const chosen = Boolean(stream) && !problem;
  document.body.dataset.state = chosen ? state : "empty";
  const pill = element("state");
  pill.dataset.state = chosen ? state : "empty";
  text("state", chosen ? STATES[state] : "No stream");
  text("stream", stream || "Live player");
  document.title = stream ? `${stream} · h5live` : "h5live player";
  for (const id of ["stage", "controls", "figures"]) element(id).hidden = !chosen;
  element("welcome").hidden = chosen;

  element("notice").hidden = state === "playing" || state === "blocked";
  element("notice").dataset.spinning = SPINNING.has(state);
  text("title", code ? describe(code).title : state === "source-stopped" ? message : STATES[state]);
  text("message", code || state !== "source-stopped" ? retrying(state, message) : "It goes on by itself when the source returns.");
  element("code-line").hidden = !code;
  element("code").dataset.code = code || "";
  text("code", code ? String(code) : "");
  element("retry").hidden = state !== "failed";
  element("big-play").hidden = state !== "blocked" && state !== "paused" && state !== "idle";
  text("play", RESTING.has(state) ? "Play" : "Pause");
  text("codec", /codecs="([^"]*)"/.exec(streamInfo?.mimeType ?? "")?.[1] ?? "–");
  showSound();
}

function retrying(state, message) {
  if (state === "paused" || state === "idle") return "";
  return state === "reconnecting" ? `${message} Trying again.` : message === STATES[state] ? "" : message;
}

function showSound() {
  const { state, streamInfo } = playback.snapshot();
  const audible = Boolean(streamInfo?.haveAudio);
  element("sound").hidden = !video.muted || !audible || state !== "playing";
  element("mute").disabled = !audible;
  element("volume").disabled = !audible;
  element("mute").setAttribute("aria-pressed", String(video.muted));
  text("mute", video.muted ? "Muted" : "Mute");
}

function showFigures() {
  const s = playback.snapshot();
  text("latency", s.latency === null ? "–" : `${Math.round(s.latency * 1000)} ms`);
  text("buffer", `${Math.round(s.bufferAhead * 1000)} of ${Math.round(s.target * 1000)} ms`);
  text("dropped", `${s.framesDropped} of ${s.framesDecoded}`);
  const rate = s.streamInfo?.videoInfo?.frameRate;
  text("picture", s.width ? `${s.width} × ${s.height}${rate ? `, ${Math.round(rate * 100) / 100} fps` : ""}` : "–");
  text("rate", s.rate ? `${s.rate.toFixed(2)} ×` : "held");
  text("stalls", String(s.stalls));
}

function showMetadata({ handler, seconds, message }) {
  let pretty = message;
  try {
    pretty = JSON.stringify(JSON.parse(message), null, 2);
  } catch {
    // Shown as it came.
  }
  const item = document.createElement("li");
  const head = document.createElement("strong");
  head.textContent = Number.isFinite(seconds) ? `${handler} at ${seconds.toFixed(3)} s` : handler;
  const body = document.createElement("pre");
  body.textContent = pretty.slice(0, METADATA_LENGTH);
  item.append(head, body);
  const list = element("metadata-list");
  list.prepend(item);
  while (list.childElementCount > METADATA_SHOWN) list.lastElementChild.remove();
  text("metadata-count", String(++seen));
  element("metadata").hidden = false;
}

// Setting the same text again would make screen readers say it again.
function text(id, value) {
  const target = element(id);
  if (target.textContent !== value) target.textContent = value;
}

function fillForm() {
  const form = element("form");
  const values = {
    "h5live.server.websocket": source.websocket,
    "h5live.rtmp.url": source.url,
    "h5live.rtmp.streamname": source.stream,
  };
  for (const [key, value] of Object.entries(source.security)) values[`h5live.security.${key}`] = value;
  for (const [name, value] of Object.entries(values)) if (form.elements[name]) form.elements[name].value = value;
  element("source").open = !source.stream || Boolean(problem);
  element("problem").hidden = !problem;
  text("problem", problem);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      const own = name === "h5live.server.websocket" && value.trim() === ownWebSocket(location);
      if (value.trim() && !own) query.set(name, value.trim());
    }
    const target = new URL(location.href);
    target.hash = "";
    target.search = query.toString();
    if (target.href === location.href) location.reload();
    else location.assign(target);
  });
}

function connectControls() {
  const unmute = () => {
    video.muted = false;
    if (video.volume === 0) video.volume = 1;
    showSound();
  };
  element("sound").addEventListener("click", () => {
    unmute();
    element("mute").focus();
  });
  element("mute").addEventListener("click", () => (video.muted ? unmute() : (video.muted = true)));
  element("volume").addEventListener("input", ({ target }) => {
    video.volume = Number(target.value);
    video.muted = video.volume === 0;
  });
  video.addEventListener("volumechange", showSound);
  element("big-play").addEventListener("click", () => playback.play());
  element("retry").addEventListener("click", () => playback.play());
  element("play").addEventListener("click", () => {
    const { state } = playback.snapshot();
    if (RESTING.has(state)) playback.play();
    else playback.pause();
  });
  element("fullscreen").addEventListener("click", () => {
    const stage = element("stage");
    if (document.fullscreenElement) document.exitFullscreen();
    else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
    else video.webkitEnterFullscreen?.();
  });
}
