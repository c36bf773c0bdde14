// One WebSocket to an H5Live server: text becomes events, binary is passed on as it comes. It never reconnects.

const UPDATE_TIMEOUT_MS = 20000;
const METADATA_LIMIT = 256 * 1024;

/**
 * `handlers`: `info(object)`, `streamInfo(object, continues)`, `randomAccess(ms)`, `status(text)`,
 * `metadata({handler, seconds, message})`, `media(ArrayBuffer)`, `closed(code)`. After `close()` none is called.
 */
export class Connection {
  #socket;
  #handlers;
  #requestId = 0;
  #updates = new Map();
  #chunks = "";
  #capabilities = new Set();

  constructor(address, handlers) {
    this.#handlers = handlers;
    this.#socket = new WebSocket(address);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.#text(data);
      else handlers.media(data);
    };
    this.#socket.onclose = ({ code }) => {
      this.#end();
      handlers.closed(code);
    };
  }

  get open() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  can(capability) {
    return this.open && this.#capabilities.has(capability);
  }

  pause() {
    this.#send("onPause", {});
  }

  play() {
    this.#send("onPlay", {});
  }

  /**
   * Asks for another stream, or for the same one with a fresh token, on this socket. Resolves with the server's
   * answer; rejects with an Error that has a `code` (the denial's, or 0 for none).
   */
  update(source, tag) {
    const { url, stream, security, params } = source;
    const body = { options: {}, tag, count: 1, rtmp: { url, stream } };
    if (Object.keys(params).length) body.params = params;
    if (Object.keys(security).length) body.security = security;
    const id = this.#send("onUpdateSource", body);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, failure(0, "The server did not answer in time.")), UPDATE_TIMEOUT_MS);
      this.#updates.set(id, { resolve, reject, timer });
    });
  }

  close() {
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.close(1000);
    this.#end();
  }

  #send(eventType, body) {
    const requestId = ++this.#requestId;
    this.#socket.send(JSON.stringify({ eventType, [eventType]: body, requestId }));
    return requestId;
  }

  #end() {
    for (const id of [...this.#updates.keys()]) this.#settle(id, failure(0, "The connection closed."));
  }

  #settle(id, outcome) {
    const update = this.#updates.get(id);
    if (!update) return;
    this.#updates.delete(id);
    clearTimeout(update.timer);
    if (outcome instanceof Error) update.reject(outcome);
    else update.resolve(outcome);
  }

  #text(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    const type = message?.eventType;
    // The payload of onStreamInfoUpdate stands under the key onStreamInfo.
    const body = message?.[type] ?? message?.onStreamInfo;
    if (typeof body !== "object" || body === null) return;
    switch (type) {
      case "onServerInfo":
        this.#capabilities = new Set(Array.isArray(body.capabilities) ? body.capabilities : []);
        return this.#handlers.info(body);
      case "onStreamInfo":
        return this.#handlers.streamInfo(body, false);
      case "onStreamInfoUpdate":
        return this.#handlers.streamInfo(body, true);
      case "onRandomAccessPoint":
        if (Number.isFinite(body.streamTime)) this.#handlers.randomAccess(body.streamTime);
        return;
      case "onStreamStatus":
        return this.#handlers.status(String(body.status));
      case "onMetaData":
        return this.#metadata(body);
      case "onUpdateSourceSuccess":
        return this.#settle(body.requestId ?? message.requestId, body);
      case "onUpdateSourceError":
        return this.#settle(body.requestId ?? message.requestId, failure(body.code, body.message));
      case "onUpdateSourceAbort":
        return this.#settle(body.requestId ?? message.requestId, failure(0, body.reason));
    }
  }

  #metadata({ handlerName, streamTime, chunkIndex = 1, chunkCount = 1, message }) {
    this.#chunks = (chunkIndex === 1 ? "" : this.#chunks) + String(message ?? "");
    if (this.#chunks.length > METADATA_LIMIT) this.#chunks = "";
    if (chunkIndex < chunkCount || !this.#chunks) return;
    const whole = this.#chunks;
    this.#chunks = "";
    this.#handlers.metadata({ handler: String(handlerName ?? ""), seconds: Number(streamTime), message: whole });
  }
}

function failure(code, message) {
  const error = new Error(String(message ?? "The server refused."));
  error.code = Number(code) || 0;
  return error;
}
