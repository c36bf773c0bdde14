// What a code means, in the viewer's words, and whether trying again can help.
//
// 4xxx are the server's close codes (H5Live), 1xxx those of RFC 6455 section 7.4.1. 2xxx and 3xxx are this player's own.

/** The source does not come up: the loading time ran out. The socket stays open. */
export const NOT_LIVE = 2001;
/** The source stopped and has not come back within the loading time. The socket stays open. */
export const SOURCE_GONE = 2004;
/** The browser refused what it was given to decode, and went on refusing after a fresh start. */
export const DECODE_FAILED = 3003;
/** The browser has no decoder for the stream's codecs. */
export const CODEC_UNKNOWN = 3004;
/** The browser has neither Media Source Extensions nor native HLS. */
export const NO_PLAYER = 3005;
/** The server went silent in the middle of a stream: taken as a lost connection. */
export const SILENCE = 1006;
/** The page's own parameters make no sense. */
export const BAD_PARAMETERS = 4400;

const REFUSED = "Playback refused";
const WORDS = {
  2001: ["Not live yet", "No such stream is live yet. The player goes on waiting and starts by itself."],
  2004: ["The source has stopped", "Nothing has come for a while. The player goes on waiting and starts by itself."],
  3003: ["Cannot play this stream", "The browser gave up decoding the stream. Reload the page or try another browser."],
  3004: ["Cannot play this stream", "This browser has no decoder for the stream's video or audio format."],
  3005: ["Cannot play here", "This browser supports neither Media Source Extensions nor HLS. Please update it."],
  4005: ["The stream has ended", "The source has stopped for good."],
  4200: ["Finished", "The server has nothing more to send."],
  4400: ["Bad request", "The server does not understand this link. Check the stream name and the RTMP address in it."],
  4500: ["The server has a problem", "It reported an internal error."],
  4503: ["The server is busy", "It is overloaded or restarting."],
  4900: ["Cannot check the token", "The server's security service does not answer. Please try again later."],
  4901: [REFUSED, "The token is not valid for this stream, your address or this page. Ask for a new link."],
  4903: [REFUSED, "The link has expired, or a part of it is missing. Ask for a new link."],
  4904: ["Cannot check the token", "The server has no security service set up for this stream."],
};
const LOST = ["Connection lost", "The network or the server broke the connection."];

/** `{title, text}` for a code. Never empty. */
export function describe(code) {
  const [title, text] = WORDS[code] ?? (code >= 4900 && code < 5000 ? [REFUSED, "The server refused to play this stream."] : LOST);
  return { title, text };
}

/**
 * How to go on after a socket closed with `code`: "never", "later" (the server asked for calm: 2 to 10 s, at random),
 * or "soon" (the network: growing pauses).
 */
export function retryAfter(code) {
  if (code === 4500 || code === 4503) return "later";
  return code >= 4000 ? "never" : "soon";
}

/** Milliseconds to wait before attempt `attempt` (0, 1, …); `random` is in [0, 1). */
export function retryDelay(kind, attempt, random) {
  if (kind === "later") return 2000 + 8000 * random;
  const ceiling = Math.min(400 * 1.8 ** attempt, 10000);
  return ceiling * (0.5 + 0.5 * random);
}
