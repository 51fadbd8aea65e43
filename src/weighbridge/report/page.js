// Sorting, filters and copying. The page is complete without it; nothing here makes markup from data.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (text) => { $("#said").textContent = text; };

  const rows = $("#filters");
  const state = () => ({
    kinds: $$("[name=kind]", rows).filter((box) => box.checked).map((box) => box.value),
    column: $("[name=column]", rows).value,
    text: $("[name=text]", rows).value.toLowerCase(),
  });
  const fits = (body, wish) => {
    if (!wish.kinds.includes(body.dataset.kind)) return false;
    if (wish.column && !(body.dataset.columns || "").split(" ").includes(wish.column)) return false;
    return !wish.text || body.textContent.toLowerCase().includes(wish.text);
  };
  const filter = () => {
    const wish = state();
    const bodies = $$("#diffs tbody");
    let shown = 0;
    for (const body of bodies) {
      body.hidden = !fits(body, wish);
      if (!body.hidden) shown += 1;
    }
    $("output", rows).textContent = `${shown.toLocaleString("en")} of ${bodies.length.toLocaleString("en")} rows`;
    const place = new URLSearchParams();
    if (wish.kinds.length < 3) place.set("kind", wish.kinds.join(","));
    if (wish.column) place.set("column", wish.column);
    if (wish.text) place.set("text", wish.text);
    try { history.replaceState(null, "", place.toString() ? `#${place}` : location.pathname + location.search); } catch { /* file: may refuse */ }
  };
  const choose = (kinds, column, text) => {
    for (const box of $$("[name=kind]", rows)) box.checked = !kinds || kinds.includes(box.value);
    const select = $("[name=column]", rows);
    select.value = column || "";
    if (select.selectedIndex < 0) select.value = "";
    $("[name=text]", rows).value = text || "";
    filter();
  };
  if (rows) {
    rows.hidden = false;
    rows.addEventListener("input", filter);
    rows.addEventListener("submit", (event) => event.preventDefault());
    const place = new URLSearchParams(location.hash.slice(1));
    choose(place.has("kind") ? place.get("kind").split(",") : null, place.get("column"), place.get("text"));
    for (const link of $$("a[data-kind], a[data-column]")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        const { kind, column } = link.dataset;
        choose(kind ? [kind] : null, column, "");
        $("#rows").scrollIntoView();
        $("#rows .scroll").focus({ preventScroll: true });
      });
    }
  }

  const columns = $("#column-filters");
  if (columns) {
    columns.hidden = false;
    const narrow = () => {
      const name = $("[name=name]", columns).value.toLowerCase();
      const only = $("[name=differ]", columns).checked;
      for (const row of $$("#column-table tbody tr")) {
        row.hidden = (only && !row.classList.contains("differs")) || !$("th", row).textContent.toLowerCase().includes(name);
      }
    };
    columns.addEventListener("input", narrow);
    columns.addEventListener("submit", (event) => event.preventDefault());
  }
  const sortBy = (head, at) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of $$("th", head.parentNode)) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => (head.dataset.sort === "number" ? Number(row.cells[at].dataset.value) : row.cells[at].textContent);
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
    const body = $("#column-table tbody");
    body.append(...[...body.rows].sort((a, b) => order(value(a), value(b))));
    say(`Sorted by ${head.textContent}, ${down ? "descending" : "ascending"}`);
  };
  $$("#column-table thead th").forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(head, at));
    head.replaceChildren(button);
  });

  const copy = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // A page from disk may have no clipboard: select the text and ask the old way.
      getSelection().selectAllChildren(code);
      if (!document.execCommand("copy")) { say("Selected: press Ctrl-C to copy"); return; }
    }
    say("Copied");
  };
  for (const button of $$(".copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy($("code", button.parentNode)).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    }));
  }
})();
