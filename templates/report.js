// The report's own script. Everything is readable without it; it switches pages, finds
// the sentences behind a figure, filters, sorts, and makes downloads. It never writes HTML.
"use strict";
(function () {
  const $ = (sel, from) => (from || document).querySelector(sel);
  const $$ = (sel, from) => Array.from((from || document).querySelectorAll(sel));
  const root = document.documentElement;
  root.classList.add("js");
  const plural = (n, one) => n + " " + one + (n === 1 ? "" : "s");

  // --- theme -------------------------------------------------------------------------
  const theme = $("#theme");
  const themes = { "": "as system", light: "light", dark: "dark" };
  function setTheme(value) {
    if (value) root.dataset.theme = value; else delete root.dataset.theme;
    theme.textContent = "Theme: " + themes[value];
    try { localStorage.setItem("parallax-theme", value); } catch (e) { /* a file may have no storage */ }
  }
  let kept = "";
  try { kept = localStorage.getItem("parallax-theme") || ""; } catch (e) { /* likewise */ }
  setTheme(kept in themes ? kept : "");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const order = Object.keys(themes);
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
  // An address is the id of an element, `/overview`, `/outlet/NAME/LAYER/LABEL`, `s12` for a
  // sentence, `g3` for a claim, and perhaps what is filtered by: `?q=words&outlet=…`.
  const pages = $$(".page");
  const outlets = $$(".page.outlet");
  const links = $$("nav a");
  const everything = $("#\\/sentences");

  function decoded(text) {
    try { return decodeURIComponent(text); } catch (e) { return text; }
  }

  function route() {
    const hash = location.hash.slice(1);
    const mark = hash.indexOf("?");
    const id = decoded(mark < 0 ? hash : hash.slice(0, mark));
    const asked = new URLSearchParams(mark < 0 ? "" : hash.slice(mark + 1));
    const element = (id && document.getElementById(id)) || pages[0];
    if (element.id === "main") return;
    const page = element.closest(".page") || pages[0];
    const all = page === everything;
    root.classList.toggle("explore", all);
    for (const p of pages) p.classList.toggle("off", p !== page && !(all && outlets.includes(p)));
    for (const a of links) {
      if (a.getAttribute("href") === "#" + page.id) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    }
    const heading = $("h2", page);
    const title = $("h1").textContent;
    document.title = page === pages[0] || !heading ? title : heading.textContent + " – " + title;
    if (all) explore(asked);
    else if (page.classList.contains("outlet")) {
      filter(page, element.dataset && element.dataset.key ? element : null, asked.get("q") || "");
    } else if (page.classList.contains("event") && $(".claims", page)) {
      if (element !== page) showClaims(page, new URLSearchParams()); else showClaims(page, asked);
    }
    for (const here of $$(".here")) here.classList.remove("here");
    if (element.matches("li[id], .claims tr[id]")) {
      element.classList.add("here");
      element.scrollIntoView({ block: element.matches("li") ? "center" : "start" });
    } else if (element === page) {
      window.scrollTo(0, 0);
    } else if (element.dataset.key) {
      const list = $(".sentences", page);
      // On a narrow screen the sentences stand below the figures.
      if (list.getBoundingClientRect().top > innerHeight * 0.8) list.scrollIntoView();
      else if (list.getBoundingClientRect().top < 0) page.scrollIntoView();
    }
  }

  // What is filtered by stands in the address, so that the link leads back to it.
  function remember(id, asked) {
    const text = asked.toString();
    history.replaceState(null, "", "#" + encodeURI(id) + (text ? "?" + text : ""));
  }

  // --- the sentences behind a figure -------------------------------------------------
  const indexes = new Map();
  function index(page) {
    if (!indexes.has(page)) {
      indexes.set(page, $$("article", page).map((article) => ({
        article,
        items: $$("li", article).map((li) => ({
          li,
          keys: new Map(li.dataset.k.split(" ").map((k) => k.split(":"))),
          text: ($(".t", li).textContent + " " + $("h4", article).textContent).toLowerCase(),
        })),
      })));
    }
    return indexes.get(page);
  }

  // Shows the sentences of a page that are wanted; returns how many, and of how many.
  function show(page, ofArticle, wanted) {
    let shown = 0, all = 0;
    for (const { article, items } of index(page)) {
      const possible = ofArticle(article);
      let any = false;
      for (const item of items) {
        const on = possible && wanted(item);
        item.li.classList.toggle("off", !on);
        any = any || on;
        shown += on ? 1 : 0;
        all += 1;
      }
      article.classList.toggle("off", !any);
    }
    return [shown, all];
  }

  function filter(page, row, words) {
    const sought = words.toLowerCase().trim();
    const key = row && row.dataset.key;
    const [shown, all] = show(page, () => true,
      (item) => (!key || item.keys.has(key)) && (!sought || item.text.includes(sought)));
    for (const r of $$("tr[data-key]", page)) {
      if (r === row) r.setAttribute("aria-current", "true"); else r.removeAttribute("aria-current");
    }
    const box = $(".search", page);
    if (box.value !== words && document.activeElement !== box) box.value = words;
    let text = plural(shown, "sentence");
    if (row) {
      text += ": " + row.dataset.name;
      const total = Number(row.dataset.total);
      if (!sought && total > shown) text += " (" + shown + " of " + total + " are in this file)";
    }
    if (sought) text += (row ? ", " : " ") + "with “" + words.trim() + "”";
    if (!row && !sought) text = plural(all, "sentence");
    $(".state", page).textContent = text + ".";
    page.dataset.row = row ? row.id : page.id;
    $(".all", page).disabled = !row && !sought;
  }

  function later(act) {
    let wait = 0;
    return (event) => { clearTimeout(wait); wait = setTimeout(() => act(event), 120); };
  }

  for (const page of outlets) {
    $(".search", page).addEventListener("input", later((event) => {
      const words = event.target.value;
      remember(page.dataset.row || page.id, new URLSearchParams(words ? { q: words } : {}));
      const row = document.getElementById(page.dataset.row || "");
      filter(page, row && row.dataset.key ? row : null, words);
    }));
    $(".all", page).addEventListener("click", () => {
      $(".search", page).value = "";
      const plain = "#" + encodeURI(page.id);
      if (decoded(location.hash) === "#" + page.id) filter(page, null, ""); else location.hash = plain;
    });
  }

  // --- all sentences, filtered -------------------------------------------------------
  const filters = $("#filters");

  function explore(asked) {
    for (const field of filters.elements) {
      if (field.name && field.value !== (asked.get(field.name) || "") && document.activeElement !== field) {
        field.value = asked.get(field.name) || "";
      }
    }
    const want = (name) => asked.get(name) || "";
    const sought = want("q").toLowerCase().trim();
    const label = want("label"), least = Number(want("p")) || 0;
    let shown = 0, all = 0;
    for (const page of outlets) {
      const possible = !want("outlet") || page.id === want("outlet");
      const ofArticle = (article) => possible && (!want("event") || article.dataset.e === want("event"))
        && (!want("from") || article.dataset.d >= want("from"))
        && (!want("to") || (article.dataset.d && article.dataset.d <= want("to")));
      const sure = (keys) => {
        if (!label) return !least || [...keys.values()].some((p) => Number(p) >= least);
        return keys.has(label) && (!least || keys.get(label) === undefined || Number(keys.get(label)) >= least);
      };
      const [n, of] = show(page, ofArticle, (item) => sure(item.keys) && (!sought || item.text.includes(sought)));
      page.classList.toggle("off", n === 0);
      shown += n;
      all += of;
    }
    $(".state", everything).textContent = shown === all ? "All " + plural(all, "sentence") + " of this file."
      : plural(shown, "sentence") + " of " + all + " in this file.";
  }

  if (filters) {
    const act = later(() => {
      const asked = new URLSearchParams();
      for (const field of filters.elements) if (field.name && field.value) asked.set(field.name, field.value);
      remember("/sentences", asked);
      explore(asked);
    });
    filters.addEventListener("input", act);
    filters.addEventListener("reset", () => setTimeout(act));
    filters.addEventListener("submit", (event) => event.preventDefault());
  }

  // --- claims ------------------------------------------------------------------------
  function showClaims(page, asked) {
    const sought = (asked.get("q") || "").toLowerCase().trim();
    const contested = asked.has("contested"), by = asked.get("by") || "";
    const set = (sel, name, value) => { const e = $(sel, page); if (e && document.activeElement !== e) e[name] = value; };
    set(".claimsearch", "value", asked.get("q") || "");
    set(".contested", "checked", contested);
    set(".heldby", "value", by);
    let shown = 0, all = 0;
    for (const tr of $(".claims", page).tBodies[0].rows) {
      const on = (!contested || tr.dataset.contested === "true")
        && (!by || $$("td", tr).some((td) => td.dataset.outlet === by && !td.classList.contains("none")))
        && (!sought || tr.textContent.toLowerCase().includes(sought));
      tr.classList.toggle("off", !on);
      shown += on ? 1 : 0;
      all += 1;
    }
    $(".state", page).textContent = shown === all ? plural(all, "row") + "." : shown + " of " + plural(all, "row") + ".";
  }

  for (const page of $$(".page.event")) {
    const controls = $(".controls", page);
    if (!controls) continue;
    const act = later(() => {
      const asked = new URLSearchParams();
      if ($(".claimsearch", page).value) asked.set("q", $(".claimsearch", page).value);
      if ($(".contested:checked", page)) asked.set("contested", "1");
      if ($(".heldby", page).value) asked.set("by", $(".heldby", page).value);
      remember(page.id, asked);
      showClaims(page, asked);
    });
    controls.addEventListener("input", act);
  }

  // --- tables ------------------------------------------------------------------------
  function sortable(table, heads, value, quiet) {
    heads.forEach((th) => {
      const button = document.createElement("button");
      button.type = "button";
      if (quiet) {
        // The head is a label or a link already.
        button.className = "sort";
        button.textContent = "↕";
        button.setAttribute("aria-label", "Sort by " + th.textContent.trim());
      } else {
        button.append(...th.childNodes);
      }
      th.append(button);
      button.addEventListener("click", () => {
        // Shares are read from the largest, words and p-values from the smallest.
        const now = th.getAttribute("aria-sort");
        const up = quiet ? now === "descending" : now !== "ascending";
        for (const other of $$("th", table)) other.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = Array.from(body.rows).map((tr) => [value(th, tr), tr]);
        rows.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (up ? 1 : -1));
        body.append(...rows.map((pair) => pair[1]));
      });
    });
  }
  for (const table of $$("table.sortable")) {
    sortable(table, $$("th[data-sort]", table), (th, tr) => {
      const how = th.dataset.sort;
      return how === "text" ? tr.cells[th.cellIndex].textContent.toLowerCase()
        : Number(tr.dataset.n.trim().split(" ")[Number(how)]);
    }, false);
  }
  for (const table of $$("table.matrix")) {
    sortable(table, $$("thead th", table).filter((th) => !th.classList.contains("striphead")), (th, tr) => {
      const cell = tr.cells[th.cellIndex];
      return cell.dataset.v === undefined ? cell.textContent.toLowerCase() : Number(cell.dataset.v);
    }, true);
  }
  {
    const page = $("#\\/differences");
    const table = page && $("table.sortable", page);
    const picks = table ? $$(".pick", page) : [];
    const pick = () => {
      const by = Object.fromEntries(picks.map((p) => [p.dataset.col, p.type === "checkbox" ? p.checked : p.value]));
      let shown = 0;
      for (const tr of table.tBodies[0].rows) {
        const pair = [tr.cells[0].textContent, tr.cells[1].textContent];
        const on = (!by.outlet || pair.includes(by.outlet)) && (!by.layer || tr.dataset.layer === by.layer)
          && (!by.apart || tr.dataset.apart === "true");
        tr.classList.toggle("off", !on);
        shown += on ? 1 : 0;
      }
      say(plural(shown, "row"));
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
    const { table, layer, outlet, event, months } = button.dataset;
    const { columns, named, rows } = tables[table];
    const text = rows.map((row) => row.map((v, i) => (i < named && v !== null ? tables.names[v] : v)));
    const at = (name) => columns.indexOf(name);
    return csv(columns, text.filter((row) => (!layer || row[at("layer")] === layer)
      && (!outlet || row[at("outlet")] === outlet)
      && (!event || row[at("event")] === event)
      && (at("period") < 0 || (months ? row[at("period")] !== null : row[at("period")] === null))));
  }
  function sentencesCsv(pagesOf) {
    const rows = [];
    for (const page of pagesOf) {
      for (const { article, items } of index(page)) {
        for (const { li, keys } of items) {
          if (li.classList.contains("off")) continue;
          const labels = [...keys].filter(([k]) => k in tables.labels).map(([k, p]) => tables.labels[k] + " " + p + "%");
          rows.push([page.dataset.name, $("h4", article).firstElementChild.textContent.trim(), article.dataset.d,
            article.dataset.e, Number($(".n", li).textContent), $(".t", li).textContent, labels.join("; "),
            $$(".m", li).map((m) => m.textContent).join("; ")]);
        }
      }
    }
    return csv(["outlet", "article", "date", "event", "place", "sentence", "labels", "targets"], rows);
  }
  function claimsCsv(page) {
    const rows = [];
    for (const tr of $(".claims", page).tBodies[0].rows) {
      if (tr.classList.contains("off")) continue;
      for (const td of $$("td", tr)) {
        const members = $$(".member", td);
        const claim = [$(".wording", tr).textContent, tr.dataset.contested === "true" ? "yes" : "no", td.dataset.outlet];
        if (!members.length) rows.push(claim.concat([td.textContent.replace(td.dataset.outlet, "").trim(), "", ""]));
        for (const m of members) {
          const chip = $(".chip", m), side = $(".side", m);
          rows.push(claim.concat([$(".t", m).textContent, chip ? chip.lastChild.textContent : "", side ? side.textContent : ""]));
        }
      }
    }
    return csv(["claim", "contested", "outlet", "sentence", "label", "side"], rows);
  }
  function download(name, type, text) {
    const url = URL.createObjectURL(new Blob([text], { type }));
    const a = document.createElement("a");
    a.href = url;
    a.download = name;
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    root.dataset.last = text.slice(0, 6000);
  }
  const short = (page) => (page ? page.id.split("/").pop() : "");
  for (const button of $$("button.csv")) {
    button.addEventListener("click", () => {
      const page = button.closest(".page");
      const { sentences, claims, table, layer } = button.dataset;
      const text = sentences ? sentencesCsv(sentences === "all" ? outlets : [page])
        : claims ? claimsCsv(page) : tableCsv(button);
      const what = sentences ? "sentences" : claims ? "claims" : table;
      const of = button.closest(".outlet, .event") ? short(page) : "";
      // The mark at the beginning tells spreadsheets that the text is UTF-8.
      download(["parallax", what, layer, of].filter(Boolean).join("-") + ".csv", "text/csv;charset=utf-8", "\ufeff" + text);
    });
  }

  // --- charts as SVG -----------------------------------------------------------------
  // A chart is a table or grid with small drawings in it. Each drawing, each square with a
  // letter and each line of text is put where it stands on the screen.
  const NS = "http://www.w3.org/2000/svg";
  function chartSvg(box) {
    const frame = box.getBoundingClientRect();
    const inner = box.matches(".scroll") ? box.firstElementChild.getBoundingClientRect() : frame;
    const out = document.createElementNS(NS, "svg");
    const [w, h] = [Math.ceil(inner.width) + 24, Math.ceil(inner.height) + 24];
    const set = (e, list) => { for (const k in list) e.setAttribute(k, list[k]); return e; };
    const make = (name, list) => set(document.createElementNS(NS, name), list);
    set(out, { xmlns: NS, width: w, height: h, viewBox: "0 0 " + w + " " + h });
    const paper = getComputedStyle(document.body).backgroundColor;
    out.append(make("rect", { width: w, height: h, fill: paper }));
    const [ox, oy] = [inner.left - 12, inner.top - 12];
    const visible = (e) => !e.closest(".sr, button, .off") && e.getClientRects().length;
    const walk = (e) => {
      if (e.nodeType === 3) {
        const parent = e.parentElement, text = e.textContent;
        if (!text.trim() || !visible(parent)) return;
        const range = document.createRange();
        range.selectNodeContents(e);
        const style = getComputedStyle(parent);
        for (const r of range.getClientRects()) {
          const size = parseFloat(style.fontSize);
          const t = make("text", { x: (r.left - ox).toFixed(1), y: (r.top - oy + r.height / 2 + size * 0.35).toFixed(1),
            "font-size": size, "font-family": style.fontFamily.replace(/"/g, "'"), "font-weight": style.fontWeight, fill: style.color });
          t.textContent = text.trim();
          out.append(t);
          if (range.getClientRects().length > 1) break;
        }
        return;
      }
      if (e.nodeType !== 1 || !visible(e)) return;
      const r = e.getBoundingClientRect();
      if (e.tagName === "svg") {
        const copyOf = e.cloneNode(true);
        set(copyOf, { x: (r.left - ox).toFixed(1), y: (r.top - oy).toFixed(1), width: r.width.toFixed(1), height: r.height.toFixed(1) });
        copyOf.removeAttribute("class");
        const from = $$("*", e), to = $$("*", copyOf);
        from.forEach((f, i) => {
          const style = getComputedStyle(f);
          set(to[i], { fill: style.fill, stroke: style.stroke, "stroke-width": style.strokeWidth, opacity: style.opacity,
            "fill-opacity": style.fillOpacity, "stroke-dasharray": style.strokeDasharray, "stroke-linecap": style.strokeLinecap });
          to[i].removeAttribute("class");
        });
        out.append(make("line", { x1: r.left - ox, x2: r.right - ox, y1: r.top - oy + r.height / 2, y2: r.top - oy + r.height / 2,
          stroke: getComputedStyle(root).getPropertyValue("--line").trim() || "#ddd", "stroke-opacity": e.matches(".bar") ? 1 : 0 }));
        out.append(copyOf);
        return;
      }
      if (e.matches(".sq")) {
        out.append(make("rect", { x: r.left - ox, y: r.top - oy, width: r.width, height: r.height, rx: 3, fill: getComputedStyle(e).backgroundColor }));
      }
      e.childNodes.forEach(walk);
    };
    walk(box);
    return new XMLSerializer().serializeToString(out);
  }
  for (const button of $$("button.svg")) {
    button.addEventListener("click", () => {
      const page = button.closest(".page");
      const csvButton = $(".csv", button.parentElement);
      const layer = csvButton ? csvButton.dataset.layer || csvButton.dataset.table : "";
      const svg = chartSvg(button.parentElement.previousElementSibling);
      download(["parallax", short(page), layer].filter(Boolean).join("-") + ".svg", "image/svg+xml", svg);
    });
  }

  // Paper shows everything.
  addEventListener("beforeprint", () => $$("details").forEach((d) => { d.open = true; }));
  addEventListener("hashchange", route);
  route();
})();
