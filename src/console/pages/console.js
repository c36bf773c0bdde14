// The live view: one snapshot a second by server-sent events, as long as the page is seen.

import * as format from "./console/format.js";
import { offer } from "./console/mint.js";
import { post } from "./console/server.js";
import { show } from "./console/tables.js";

// How long the second click of "End" is waited for.
const SURE_MS = 4000;
const HOUR_MS = 3600 * 1000;
const FILTER_MS = 250;

const STATES = {
  playing: "Playing",
  pulling: "Pulling",
  waiting: "Waiting",
  lost: "Lost",
  lingering: "No viewers",
};

const element = (id) => document.getElementById(id);
const text = (id, value) => {
  if (element(id).textContent !== String(value)) element(id).textContent = value;
};
let events = null;
let timer = null;

element("q").addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(connect, FILTER_MS);
});
element("filter").addEventListener("submit", (event) => event.preventDefault());
element("logout").addEventListener("click", async () => {
  events?.close();
  await post("logout", {}).catch(() => {});
  location.assign("/console/");
});
// A page that nobody sees costs the server nothing.
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
connect();

function connect() {
  events?.close();
  const query = element("q").value.trim();
  events = new EventSource(`/console/events${query ? `?q=${encodeURIComponent(query)}` : ""}`);
  events.addEventListener("message", (event) => {
    state("live", "Live");
    update(JSON.parse(event.data));
  });
  events.addEventListener("over", () => location.reload());
  events.addEventListener("error", () => {
    // A refusal is not tried again by the browser: the login may be over.
    if (events.readyState === EventSource.CLOSED) {
      state("off", "Not connected");
      timer = setTimeout(retry, 3000);
    } else {
      state("connecting", "Reconnecting");
    }
  });
}

async function retry() {
  const answer = await fetch("/console/console.css", { cache: "no-store" }).catch(() => null);
  if (answer?.status === 401) location.reload();
  else if (!document.hidden) connect();
}

function disconnect() {
  events?.close();
  state("connecting", "Paused");
}

function state(name, words) {
  element("link").dataset.state = name;
  text("link", words);
}

function update({ now, streams, sessions, denials, origins }) {
  const playing = streams.rows.filter((stream) => stream.kbps !== null || stream.mime);
  text("streams-playing", playing.length);
  text("sessions-total", sessions.total);
  text("streams-rate", format.rate(playing.reduce((sum, stream) => sum + (stream.kbps ?? 0), 0)));
  text("denials-total", denials.filter((denial) => now - denial.at < HOUR_MS).length);
  count("streams-count", streams.rows.length, streams.matching);
  count("sessions-count", sessions.rows.length, sessions.matching);
  text("denials-count", denials.length ? `${denials.length}, the latest first` : "");
  show(element("streams"), streams.rows, (row) => `${row.origin}/${row.stream}`, streamCells);
  show(element("sessions"), sessions.rows, (row) => row.id, (row) => sessionCells(row, now));
  show(element("denials"), denials, denialKey(), (row) => denialCells(row, now));
  offer(streams.rows, origins);
}

function count(id, shown, matching) {
  text(id, matching > shown ? `${shown} of ${matching}; filter to see others` : matching || "");
}

function streamCells(stream) {
  const codecs = format.codecs(stream.mime);
  const fps = stream.fps ? ` at ${Number(stream.fps.toFixed(2))} fps` : "";
  const sound = stream.audio_hertz ? `${stream.audio_hertz / 1000} kHz, ${stream.audio_channels} ch` : "";
  return [
    stream.stream,
    stream.origin,
    { build: stateCell },
    { text: stream.viewers, number: true },
    stream.width ? `${stream.width}×${stream.height}${fps}` : sound && "Sound only",
    { text: codecs.short, title: [codecs.exact, sound].filter(Boolean).join(" · ") },
    { text: format.rate(stream.kbps), number: true },
    { text: stream.keyframe_ms ? `every ${format.seconds(stream.keyframe_ms)}` : "", number: true },
  ];
}

function stateCell(cell, { state, failures }) {
  if (!cell.firstChild) {
    const pill = document.createElement("span");
    pill.className = "pill";
    const why = document.createElement("span");
    why.className = "why";
    const both = document.createElement("span");
    both.append(pill, why);
    cell.append(both);
  }
  const [pill, why] = cell.firstChild.children;
  pill.dataset.state = state;
  pill.textContent = STATES[state] ?? state;
  why.textContent = failures ? `failed ${failures[0]}×, again in ${failures[1]} s` : "";
}

function sessionCells(session, now) {
  return [
    session.stream,
    session.open ? `${session.door}, open` : session.door,
    session.tag ?? "",
    session.client,
    { text: format.span(now - session.since), number: true },
    { text: format.bytes(session.behind), number: true, warned: session.behind > 1024 * 1024 },
    { text: session.skips ?? "", number: true, warned: session.skips > 0 },
    { build: kickCell },
  ];
}

function kickCell(cell, session) {
  if (cell.firstChild) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "End";
  button.setAttribute("aria-label", `End the session of ${session.client} on ${session.stream}`);
  let waiting = null;
  const calm = () => {
    button.dataset.sure = "false";
    button.textContent = "End";
  };
  button.addEventListener("click", async () => {
    clearTimeout(waiting);
    if (button.dataset.sure !== "true") {
      button.dataset.sure = "true";
      button.textContent = "Really end?";
      text("kicked", "Press again to end the session.");
      waiting = setTimeout(calm, SURE_MS);
      return;
    }
    button.disabled = true;
    try {
      const { ended } = await post("kick", { session: session.id });
      text("kicked", ended ? `The session of ${session.client} on ${session.stream} is ended.` : "The session had ended already.");
    } catch (error) {
      text("kicked", error.message);
      button.disabled = false;
    }
    calm();
  });
  cell.append(button);
}

// Several may come in one millisecond.
function denialKey() {
  const seen = new Map();
  return (denial) => {
    const key = `${denial.at} ${denial.client} ${denial.code}`;
    const times = seen.get(key) ?? 0;
    seen.set(key, times + 1);
    return `${key} ${times}`;
  };
}

function denialCells(denial, now) {
  return [
    format.clock(denial.at, now),
    denial.stream ?? "–",
    denial.door,
    denial.client,
    { text: denial.close, number: true },
    { build: reasonCell },
  ];
}

function reasonCell(cell, { code, reason }) {
  if (cell.firstChild) return;
  const both = document.createElement("span");
  const why = document.createElement("span");
  both.textContent = code;
  why.className = "why";
  why.textContent = reason;
  both.append(why);
  cell.append(both);
}
