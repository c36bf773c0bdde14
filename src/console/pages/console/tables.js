// Tables whose rows stay the same elements while they last, so that focus and selection do.
// What comes from outside is only ever set as text.

const labels = (table) => [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());

// `cells` gives for each row: a text, or { text, title, number, warned, fill } where `fill` builds what is no text.
export function show(table, rows, keyOf, cells) {
  const body = table.tBodies[0];
  const old = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const names = labels(table);
  let before = null;
  for (const item of rows) {
    const key = String(keyOf(item));
    const row = old.get(key) ?? make(key, names);
    old.delete(key);
    const place = before ? before.nextSibling : body.firstChild;
    if (place !== row) body.insertBefore(row, place);
    cells(item).forEach((cell, index) => fill(row.cells[index], typeof cell === "object" && cell ? cell : { text: cell }, item));
    before = row;
  }
  for (const row of old.values()) row.remove();
  table.hidden = rows.length === 0;
  table.parentElement.querySelector(".empty").hidden = rows.length > 0;
}

function make(key, names) {
  const row = document.createElement("tr");
  row.dataset.key = key;
  row.setAttribute("role", "row");
  names.forEach((name, index) => {
    const cell = document.createElement(index === 0 ? "th" : "td");
    if (index === 0) cell.scope = "row";
    cell.setAttribute("role", index === 0 ? "rowheader" : "cell");
    cell.dataset.label = name;
    row.append(cell);
  });
  return row;
}

function fill(cell, { text = "", title, number, warned, build }, item) {
  cell.classList.toggle("number", Boolean(number));
  cell.classList.toggle("warned", Boolean(warned));
  if (build) {
    build(cell, item);
    return;
  }
  const shown = text === null || text === undefined ? "" : String(text);
  cell.classList.toggle("blank", shown === "");
  if (cell.textContent !== shown) cell.textContent = shown;
  if (title && cell.title !== title) cell.title = title;
}
