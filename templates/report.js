// The report's own script. Everything is readable without it; it switches pages, finds
// the sentences behind a figure, sorts, and makes downloads. It never writes HTML.
"use strict";
(function () {
  const $ = (sel, from) => (from || document).querySelector(sel);
  const $$ = (sel, from) => Array.from((from || document).querySelectorAll(sel));
  const root = document.documentElement;
  root.classList.add("js");

  // --- theme -------------------------------------------------------------------------
  const theme = $("#theme");
  const names = { "": "as system", light: "light", dark: "dark" };
  function setTheme(value) {
    if (value) root.dataset.theme = value; else delete root.dataset.theme;
    theme.textContent = "Theme: " + names[value];
    try { localStorage.setItem("parallax-theme", value); } catch (e) { /* a file may have no storage */ }
  }
  let kept = "";
  try { kept = localStorage.getItem("parallax-theme") || ""; } catch (e) { /* likewise */ }
  setTheme(kept in names ? kept : "");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const order = Object.keys(names);
    setTheme(order[(order.indexOf(root.dataset.theme || "") + 1) % order.length]);
  });

  const copy = $("#copy");
  if (navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", () => {
      navigator.clipboard.writeText(location.href).then(
        () => say("The link is on the clipboard."),
        () => say("The browser did not allow copying; the address bar holds the link."));
    });
  }
  function say(text) { $("#said").textContent = text; }

  // --- pages -------------------------------------------------------------------------
  // An address is `#/overview`, `#/outlet/NAME`, `#/outlet/NAME/LAYER/LABEL?q=words` or
  // `#s12` for one sentence: always the id of an element, and perhaps a search.
  const pages = $$(".page");
  const links = $$("nav a");

  function route() {
    let hash = location.hash.slice(1);
    try { hash = decodeURIComponent(hash); } catch (e) { /* as it is */ }
    const mark = hash.indexOf("?q=");
    const id = mark < 0 ? hash : hash.slice(0, mark);
    const words = mark < 0 ? "" : hash.slice(mark + 3);
    const element = (id && document.getElementById(id)) || pages[0];
    if (element.id === "main") return;
    const page = element.closest(".page") || pages[0];
    for (const p of pages) p.classList.toggle("off", p !== page);
    for (const a of links) {
      if (a.getAttribute("href") === "#" + page.id) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    }
    const heading = $("h2", page);
    const title = $("h1").textContent;
    document.title = page === pages[0] || !heading ? title : heading.textContent + " – " + title;
    if (page.classList.contains("outlet")) {
      filter(page, element.dataset && element.dataset.key ? element : null, words);
    }
    for (const li of $$("li.here")) li.classList.remove("here");
    if (element.matches("li[id]")) {
      element.classList.add("here");
      element.scrollIntoView({ block: "center" });
    } else if (element === page) {
      window.scrollTo(0, 0);
    } else if (element.dataset.key) {
      const list = $(".sentences", page);
      // On a narrow screen the sentences stand below the figures.
      if (list.getBoundingClientRect().top > innerHeight * 0.8) list.scrollIntoView();
      else if (list.getBoundingClientRect().top < 0) page.scrollIntoView();
    }
  }

  // --- the sentences behind a figure -------------------------------------------------
  const indexes = new Map();
  function index(page) {
    if (!indexes.has(page)) {
      indexes.set(page, $$("article", page).map((article) => ({
        article,
        items: $$("li", article).map((li) => ({
          li,
          keys: new Set(li.dataset.k.split(" ")),
          text: ($(".t", li).textContent + " " + $("h4", article).textContent).toLowerCase(),
        })),
      })));
    }
    return indexes.get(page);
  }

  function filter(page, row, words) {
    const wanted = words.toLowerCase().trim();
    const key = row && row.dataset.key;
    let shown = 0, all = 0;
    for (const { article, items } of index(page)) {
      let any = false;
      for (const { li, keys, text } of items) {
        const on = (!key || keys.has(key)) && (!wanted || text.includes(wanted));
        li.classList.toggle("off", !on);
        any = any || on;
        shown += on ? 1 : 0;
        all += 1;
      }
      article.classList.toggle("off", !any);
    }
    for (const r of $$("tr[data-key]", page)) {
      if (r === row) r.setAttribute("aria-current", "true"); else r.removeAttribute("aria-current");
    }
    const box = $(".search", page);
    if (box.value !== words && document.activeElement !== box) box.value = words;
    let text = shown + (shown === 1 ? " sentence" : " sentences");
    if (row) {
      text += ": " + row.dataset.name;
      const total = Number(row.dataset.total);
      if (!wanted && total > shown) text += " (" + shown + " of " + total + " are in this file)";
    }
    if (wanted) text += (row ? ", " : " ") + "with “" + words.trim() + "”";
    if (!row && !wanted) text = all + (all === 1 ? " sentence" : " sentences");
    $(".state", page).textContent = text + ".";
    page.dataset.row = row ? row.id : page.id;
    $(".all", page).disabled = !row && !wanted;
  }

  for (const page of $$(".page.outlet")) {
    let wait = 0;
    $(".search", page).addEventListener("input", (event) => {
      clearTimeout(wait);
      wait = setTimeout(() => {
        const words = event.target.value;
        const base = "#" + encodeURI(page.dataset.row || page.id);
        history.replaceState(null, "", words ? base + "?q=" + encodeURIComponent(words) : base);
        const row = document.getElementById(page.dataset.row || "");
        filter(page, row && row.dataset.key ? row : null, words);
      }, 120);
    });
    $(".all", page).addEventListener("click", () => {
      $(".search", page).value = "";
      const plain = "#" + encodeURI(page.id);
      if (location.hash === plain) filter(page, null, ""); else location.hash = plain;
    });
  }

  // --- tables ------------------------------------------------------------------------
  for (const table of $$("table.sortable")) {
    const body = table.tBodies[0];
    $$("th[data-sort]", table).forEach((th) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = th.textContent;
      th.textContent = "";
      th.append(button);
      button.addEventListener("click", () => {
        const up = th.getAttribute("aria-sort") !== "ascending";
        for (const other of $$("th", table)) other.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        const how = th.dataset.sort, column = th.cellIndex;
        const value = how === "text"
          ? (tr) => tr.cells[column].textContent.toLowerCase()
          : (tr) => Number(tr.dataset.n.trim().split(" ")[Number(how)]);
        const rows = Array.from(body.rows).map((tr) => [value(tr), tr]);
        rows.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (up ? 1 : -1));
        body.append(...rows.map((pair) => pair[1]));
      });
    });
    const page = table.closest(".page");
    const picks = $$(".pick", page);
    const pick = () => {
      const by = Object.fromEntries(picks.map((p) => [p.dataset.col, p.type === "checkbox" ? p.checked : p.value]));
      let shown = 0;
      for (const tr of body.rows) {
        const pair = [tr.cells[0].textContent, tr.cells[1].textContent];
        const on = (!by.outlet || pair.includes(by.outlet)) && (!by.layer || tr.dataset.layer === by.layer)
          && (!by.apart || tr.dataset.apart === "true");
        tr.classList.toggle("off", !on);
        shown += on ? 1 : 0;
      }
      say(shown + " rows");
    };
    for (const p of picks) p.addEventListener("change", pick);
  }

  // --- downloads ---------------------------------------------------------------------
  const tables = JSON.parse($("#data").textContent);

  // A spreadsheet takes a cell that begins like this for a formula; a quote before it
  // makes it text. Numbers stay numbers.
  function cell(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    let text = String(value);
    if (/^[\s\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]*[=+\-@\uff0b\uff0d\uff1d\uff20]/.test(text) || /^[\t\r\n]/.test(text)) text = "'" + text;
    return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }
  function csv(columns, rows) {
    return [columns].concat(rows).map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  }
  function tableCsv(button) {
    const { table, layer, outlet } = button.dataset;
    const { columns, rows } = tables[table];
    const at = (name) => columns.indexOf(name);
    return csv(columns, rows.filter((row) => (!layer || row[at("layer")] === layer)
      && (!outlet || row[at("outlet")] === outlet)));
  }
  function sentencesCsv(page) {
    const rows = [];
    for (const { article, items } of index(page)) {
      for (const { li } of items) {
        if (li.classList.contains("off")) continue;
        const labels = $$(".g", li).map((g) => g.title).join("; ");
        rows.push([page.dataset.name, $("h4", article).textContent.trim(), Number(li.dataset.i),
          $(".t", li).textContent, labels]);
      }
    }
    return csv(["outlet", "article", "place", "sentence", "labels"], rows);
  }
  for (const button of $$("button.csv")) {
    button.addEventListener("click", () => {
      const page = button.closest(".page");
      const text = button.dataset.sentences ? sentencesCsv(page) : tableCsv(button);
      const name = ["parallax", button.dataset.sentences ? "sentences" : button.dataset.table,
        button.dataset.layer, button.closest(".outlet") ? page.id.split("/").pop() : ""].filter(Boolean).join("-");
      // The mark at the beginning tells spreadsheets that the text is UTF-8.
      const url = URL.createObjectURL(new Blob(["\ufeff" + text], { type: "text/csv;charset=utf-8" }));
      const a = document.createElement("a");
      a.href = url;
      a.download = name + ".csv";
      a.click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
      root.dataset.lastCsv = text.slice(0, 4000);
    });
  }

  // Paper shows everything.
  addEventListener("beforeprint", () => $$("details").forEach((d) => { d.open = true; }));
  addEventListener("hashchange", route);
  route();
})();
