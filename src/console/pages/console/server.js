// What the page asks of the server, beside its live view.

const token = document.querySelector("meta[name=csrf-token]").content;

export async function post(path, body) {
  const answer = await fetch(`/console/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
    body: JSON.stringify(body),
  });
  if (answer.status === 401) location.reload();
  if (answer.status === 204) return {};
  const isJson = answer.headers.get("Content-Type") === "application/json";
  const value = isJson ? await answer.json() : { message: await answer.text() };
  if (!answer.ok) throw Object.assign(new Error(value.message), { field: value.field });
  return value;
}
