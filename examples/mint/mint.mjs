#!/usr/bin/env node
// Mints playback tokens offline, from the secret alone.
//
// Each line of the input is a wish in JSON, each line of the output what goes into the playback URL:
//
//   echo '{"secret": "…", "stream": "ABCDE-demo", "expires": "1900000000", "tag": "a tag"}' | node mint.mjs
//
// A wish names `stream` or `orga`, and any of `expires` (Unix seconds), `ip`, `referer` and `tag`.
// Nothing is checked here: a name that cannot be one makes a token that opens nothing.

import { createHmac } from "node:crypto";
import { isIPv4 } from "node:net";
import { createInterface } from "node:readline";

const [EXPIRES, IP, REFERER, TAG, ORGA] = [1, 2, 4, 8, 16];

const mac = (key, data) => createHmac("sha256", key).update(data).digest();

function sized(text) {
  const data = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(data.length);
  return Buffer.concat([length, data]);
}

function seconds(expires) {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(expires));
  return out;
}

function address(ip) {
  // IPv4 as IPv4-mapped IPv6.
  if (isIPv4(ip)) return Buffer.from([...Array(10).fill(0), 255, 255, ...ip.split(".").map(Number)]);
  // The parser of URLs writes the last two groups in hexadecimal too.
  const [head, tail] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split("::");
  const groups = (text) => (text ? text.split(":") : []);
  const [before, after] = [groups(head), groups(tail)];
  const zeros = Array(8 - before.length - after.length).fill("0");
  const all = [...before, ...zeros, ...after].map((group) => group.padStart(4, "0"));
  return Buffer.from(all.join(""), "hex");
}

function mint({ secret, stream, orga, expires, ip, referer, tag }) {
  const options =
    (expires ? EXPIRES : 0) | (ip ? IP : 0) | (referer ? REFERER : 0) | (tag ? TAG : 0) | (orga ? ORGA : 0);
  const message = [Buffer.from([options]), sized(orga || stream)];
  if (expires) message.push(seconds(expires));
  if (ip) message.push(address(ip));
  if (referer) message.push(sized(referer));
  if (tag) message.push(sized(tag));
  const kid = mac(secret, "h5live kid v1").subarray(0, 4);
  const key = mac(secret, "h5live playback token v1");
  const token = Buffer.concat([Buffer.from([1]), kid, mac(key, Buffer.concat(message))]).toString("base64url");
  return { expires: String(expires ?? ""), tag: tag ?? "", token, options };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(mint(JSON.parse(line))));
}
