// Numbers and times as an operator reads them.

export function rate(kbps) {
  if (kbps === null) return "";
  return kbps < 1000 ? `${kbps} kbit/s` : `${(kbps / 1000).toFixed(2)} Mbit/s`;
}

export function bytes(count) {
  if (count === null) return "";
  if (count < 1024) return `${count} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(0)} KiB`;
  return `${(count / 1024 / 1024).toFixed(1)} MiB`;
}

export function seconds(milliseconds) {
  return milliseconds === null ? "" : `${(milliseconds / 1000).toFixed(milliseconds < 9950 ? 1 : 0)} s`;
}

export function span(milliseconds) {
  const s = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (n) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}`;
  if (s < 86400) return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

export function clock(milliseconds, now) {
  const time = new Date(milliseconds);
  const sameDay = time.toDateString() === new Date(now).toDateString();
  return sameDay ? time.toLocaleTimeString() : time.toLocaleString();
}

export function codecs(mime) {
  const list = /codecs="([^"]*)"/.exec(mime ?? "")?.[1] ?? "";
  const names = [["avc1", "H.264"], ["hvc1", "H.265"], ["hev1", "H.265"], ["av01", "AV1"], ["mp4a.40", "AAC"], ["opus", "Opus"]];
  const known = list.split(",").map((codec) => names.find(([start]) => codec.trim().startsWith(start))?.[1] ?? codec.trim());
  return { short: known.join(", "), exact: list };
}
