// The form that makes a link.

import { post } from "./server.js";

const form = document.getElementById("mint");
const problem = document.getElementById("mint-problem");
let known = [];
const element = (id) => document.getElementById(id);

form.addEventListener("input", ({ target }) => {
  mark(null);
  showStream();
  if (target.name === "scope" || target.name === "stream") chooseOrigin(target.value.trim());
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  mark(null);
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    show(await post("mint", Object.fromEntries(new FormData(form))));
  } catch (error) {
    // The link that is there is not of what the form says now.
    document.querySelector("#minted .result").hidden = true;
    document.querySelector("#minted .placeholder").hidden = false;
    mark(error.field, error.message);
  } finally {
    button.disabled = false;
  }
});
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
showStream();

// Streams that there are, and origins to choose from.
export function offer(streams, origins) {
  known = streams;
  const names = [...new Set(streams.map((stream) => stream.stream))];
  const list = element("names");
  if (names.join() !== [...list.options].map((option) => option.value).join()) {
    list.replaceChildren(...names.map((name) => new Option("", name)));
  }
  const select = form.elements.origin;
  if (select.options.length !== origins.length) {
    select.replaceChildren(...origins.map(({ name, url }) => {
      const option = new Option(`${name} (${url})`, url);
      option.dataset.name = name;
      return option;
    }));
  }
  form.querySelector("[data-for=origin]").hidden = origins.length < 2;
}

// A stream that is known plays from where it is.
function chooseOrigin(name) {
  const origin = known.find((stream) => stream.stream === name)?.origin;
  const option = [...form.elements.origin.options].find((option) => option.dataset.name === origin);
  if (option) option.selected = true;
}

// A token of an organisation opens all of its streams; a link plays one.
function showStream() {
  const scope = form.elements.scope.value.trim();
  form.querySelector("[data-for=stream]").hidden = scope === "" || scope.includes("-");
}

function mark(field, message = "") {
  problem.textContent = message && message[0].toUpperCase() + message.slice(1).replace(/\.?$/, ".");
  for (const input of form.elements) if (input.name) input.setAttribute("aria-invalid", String(input.name === field));
  if (field) form.elements[field]?.focus();
}

function show({ page, curl, snippet, qr, expires }) {
  document.querySelector("#minted .placeholder").hidden = true;
  document.querySelector("#minted .result").hidden = false;
  element("valid").textContent = expires
    ? `It plays until ${new Date(Number(expires) * 1000).toLocaleString()}.`
    : "It plays until its secret is replaced or withdrawn.";
  element("page").href = page;
  element("page-text").textContent = page;
  element("curl").textContent = curl;
  element("snippet").textContent = snippet;
  element("qr").hidden = !qr;
  if (qr) element("qr").src = qr;
}

async function copy(button) {
  const text = element(button.dataset.copy).textContent;
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Browsers give no clipboard to a page by plain HTTP; the text can still be copied by hand.
    getSelection().selectAllChildren(element(button.dataset.copy));
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = said), 1500);
}
