// The page's own URL in, the address for the server out. Pure: knows no DOM and no socket.
//
// Names follow the H5Live demo page: h5live.server.websocket, h5live.server.hls, h5live.rtmp.url,
// h5live.rtmp.streamname, h5live.security.*, h5live.params.*.

export const SECURITY_KEYS = ["expires", "tag", "token", "options", "jwtoken"];

// Names that we set ourselves: a free parameter may not repeat them.
const RESERVED = new Set(["url", "stream", "cid", "pid", "flags"]);

const PARAMS_PREFIX = "h5live.params.";

/**
 * Reads the playback parameters from a page's location. What stands in the fragment (which reaches no server's log)
 * comes before what stands in the query.
 *
 * Returns `{source, problem}`. `source` is `{websocket, hls, url, stream, security, params}`, all strings or maps of
 * strings, "" where not given. `problem` is a sentence for the viewer, or "".
 */
export function readParameters(location) {
  const query = new URLSearchParams(location.search);
  const fragment = new URLSearchParams(location.hash.replace(/^#\??/, ""));
  const value = (name) => (fragment.get(name) ?? query.get(name) ?? "").trim();

  const security = {};
  for (const key of SECURITY_KEYS) {
    const given = value(`h5live.security.${key}`);
    if (given) security[key] = given;
  }
  const params = {};
  for (const name of new Set([...query.keys(), ...fragment.keys()])) {
    const key = name.startsWith(PARAMS_PREFIX) ? name.slice(PARAMS_PREFIX.length) : "";
    if (key && !RESERVED.has(key) && value(name)) params[key] = value(name);
  }

  const websocket = value("h5live.server.websocket") || ownWebSocket(location);
  const hls = value("h5live.server.hls") || ownHls(location);
  const source = {
    websocket,
    hls,
    url: value("h5live.rtmp.url"),
    stream: value("h5live.rtmp.streamname"),
    security,
    params,
  };
  let problem = "";
  if (!hasScheme(websocket, ["ws:", "wss:"])) {
    problem = "The WebSocket address must begin with ws:// or wss:// and carry no user name.";
  } else if (hls && !hasScheme(hls, ["http:", "https:"])) {
    problem = "The HLS address must begin with http:// or https:// and carry no user name.";
  }
  return { source, problem };
}

/** The WebSocket door of the server that served this page. */
export function ownWebSocket(location) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/h5live/authstream`;
}

/** The HLS door of the server that served this page. */
export function ownHls(location) {
  return `${location.protocol === "https:" ? "https" : "http"}://${location.host}/h5live/authhttp/playlist.m3u8`;
}

function hasScheme(text, schemes) {
  try {
    const url = new URL(text);
    return schemes.includes(url.protocol) && !url.username && !url.password;
  } catch {
    return false;
  }
}

/**
 * The full address to open: `base` with the wire query. Empty values are left out.
 *
 * `ids` is `{cid, pid}`; `flags` is a list, for example `["checkandclose"]`.
 */
export function wireAddress(base, source, ids, flags = []) {
  const pairs = [
    ["url", source.url],
    ["stream", source.stream],
    ["cid", ids.cid],
    ["pid", ids.pid],
    ["flags", flags.join(",")],
    ...Object.entries(source.params),
    ...SECURITY_KEYS.map((key) => [key, source.security[key]]),
  ];
  const query = pairs
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join("&");
  const address = new URL(base);
  address.hash = "";
  const plain = address.href;
  return plain + (address.search ? "&" : plain.endsWith("?") ? "" : "?") + query;
}

/** A random decimal number of at most `digits` digits, as text, for `cid` and `pid`. */
export function randomDecimal(digits) {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return String(1 + ((high * 2 ** 20 + (low >>> 12)) % (10 ** digits - 1)));
}
