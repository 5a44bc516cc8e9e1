"use strict";
// Fills the page, once a second, with the facts of /statistics. Text goes in as text only, never as markup.

const EVERY_MS = 1000;
const numbers = new Intl.NumberFormat("en");
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Numbers are 64 bits wide; a double is not.
const exact = (_, value, context) =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source
    ? BigInt(context.source)
    : value;

function shown(value) {
  if (value === null || value === undefined || value === "") return "—";
  return typeof value === "number" || typeof value === "bigint" ? numbers.format(value) : String(value);
}

function write(element, text) {
  if (element.textContent === text) return;
  element.textContent = text;
  if (element.tagName === "OUTPUT" && !still.matches) element.animate([{ opacity: 0.55 }, { opacity: 1 }], 300);
}

// The path of a fact: "broker.address".
const fact = (facts, path) => path.split(".").reduce((value, name) => value?.[name], facts);

// `list`: the list that `root` is a row of. What stands in a list within `root` belongs to that list's own rows.
function fill(root, facts, list) {
  const own = (selector) => [...root.querySelectorAll(selector)];
  const within = (element) => element.closest("[data-list]");
  for (const element of own("[data-f]"))
    if (within(element) === list) write(element, shown(fact(facts, element.dataset.f)));
  for (const element of own("[data-s]"))
    if (within(element) === list) element.dataset.state = fact(facts, element.dataset.s);
  for (const element of own("[data-list]"))
    if (within(element.parentElement) === list) fillList(element, fact(facts, element.dataset.list));
}

function fillList(list, items) {
  const template = document.getElementById(`row-${list.dataset.list}`);
  while (list.children.length > items.length) list.lastElementChild.remove();
  while (list.children.length < items.length) list.append(template.content.cloneNode(true));
  items.forEach((item, index) => {
    fill(list.children[index], item !== null && typeof item === "object" ? item : { text: item }, list);
  });
}

async function refresh() {
  try {
    const response = await fetch("/statistics", { signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`${response.status}`);
    fill(document.body, JSON.parse(await response.text(), exact), null);
    stale(false);
  } catch {
    stale(true);
  }
}

function stale(is) {
  document.getElementById("stale").hidden = !is;
  document.body.classList.toggle("stale", is);
}

async function keepFresh() {
  if (!document.hidden) await refresh();
  setTimeout(keepFresh, EVERY_MS);
}

keepFresh();
