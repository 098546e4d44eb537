"""The page's script: sort, search, filter, and the choice of light or dark. Without it the page is whole as well."""

SCRIPT = r"""
(function () {
  "use strict";
  var root = document.body;
  function make(tag, text, name) {
    var element = document.createElement(tag);
    if (text) element.textContent = text;
    if (name) element.className = name;
    return element;
  }
  function dark() {
    var chosen = root.getAttribute("data-theme");
    return chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  }
  var bar = document.querySelector(".top");
  if (bar) {
    var toggle = make("button", "", "theme");
    toggle.type = "button";
    var say = function () { toggle.textContent = dark() ? "Light" : "Dark"; };
    toggle.setAttribute("aria-label", "Switch between light and dark");
    toggle.addEventListener("click", function () {
      root.setAttribute("data-theme", dark() ? "light" : "dark");
      say();
    });
    say();
    bar.appendChild(toggle);
    var paper = make("button", "Print all", "paper");
    paper.type = "button";
    paper.setAttribute("aria-label", "Print every row and every closed part");
    paper.addEventListener("click", function () {
      root.setAttribute("data-paper", "all");
      window.print();
      root.removeAttribute("data-paper");
    });
    bar.appendChild(paper);
  }
  function key(row, column, numeric) {
    var cell = row.cells[column], text = cell.getAttribute("data-v");
    if (text === null) text = cell.textContent.trim();
    if (!numeric) return text.toLowerCase();
    if (text === "inf") return Infinity;
    if (text === "-inf") return -Infinity;
    return text === "" ? NaN : parseFloat(text.replace(/,/g, ""));
  }
  function sort(table, column, up, numeric) {
    var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows);
    var keyed = rows.map(function (row) { return { row: row, key: key(row, column, numeric) }; });
    keyed.sort(function (a, b) {
      if (numeric) {
        if (isNaN(a.key) || isNaN(b.key)) return isNaN(a.key) - isNaN(b.key);
        if (a.key === b.key) return 0;
        return (a.key < b.key ? -1 : 1) * (up ? 1 : -1);
      }
      return a.key.localeCompare(b.key, undefined, { numeric: true }) * (up ? 1 : -1);
    });
    var part = document.createDocumentFragment();
    keyed.forEach(function (entry) { part.appendChild(entry.row); });
    body.appendChild(part);
  }
  function sortable(table) {
    var heads = table.tHead.rows[0].cells;
    Array.prototype.forEach.call(heads, function (head, column) {
      if (head.hasAttribute("data-plain")) return;
      var button = make("button", head.textContent, "sort"), numeric = head.classList.contains("number");
      button.type = "button";
      head.textContent = "";
      head.appendChild(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", function () {
        var up = head.getAttribute("aria-sort") !== "ascending";
        Array.prototype.forEach.call(heads, function (other) {
          if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
        });
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        sort(table, column, up, numeric);
      });
    });
  }
  var next = 0;
  function field(label, control) {
    var box = make("div", "", "field"), words = make("label", label);
    control.id = "control-" + (next += 1);
    words.htmlFor = control.id;
    box.appendChild(words);
    box.appendChild(control);
    return box;
  }
  function filterable(region, table) {
    var rows = Array.prototype.slice.call(table.tBodies[0].rows), heads = table.tHead.rows[0].cells;
    var controls = make("div", "", "controls"), chosen = [], status = make("span", "", "status");
    var search = make("input");
    search.type = "search";
    status.setAttribute("role", "status");
    var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
    function apply() {
      var wanted = search.value.trim().toLowerCase(), shown = 0;
      rows.forEach(function (row, i) {
        var keep = texts[i].indexOf(wanted) >= 0 && chosen.every(function (c) {
          return c.select.value === "" || c.values[i] === c.select.value;
        });
        row.hidden = !keep;
        if (keep) shown += 1;
      });
      status.textContent = shown + " of " + rows.length + " rows";
    }
    (region.getAttribute("data-filters") || "").split(" ").filter(Boolean).forEach(function (place) {
      var column = parseInt(place, 10), head = heads[column];
      var values = rows.map(function (row) { return row.cells[column].textContent; });
      var kinds = values.filter(function (value, i) { return values.indexOf(value) === i; });
      if (kinds.length < 2) return;
      var select = make("select"), all = make("option", "all");
      all.value = "";
      select.appendChild(all);
      kinds.forEach(function (value) {
        var option = make("option", value);
        option.value = value;
        select.appendChild(option);
      });
      select.addEventListener("change", apply);
      chosen.push({ select: select, values: values });
      controls.appendChild(field(head.textContent, select));
    });
    search.addEventListener("input", apply);
    controls.appendChild(field("search", search));
    controls.appendChild(status);
    region.parentNode.insertBefore(controls, region);
    apply();
  }
  Array.prototype.forEach.call(document.querySelectorAll("main .scroll"), function (region) {
    var table = region.querySelector("table");
    if (!table || !table.tHead) return;
    if (region.hasAttribute("data-filters")) filterable(region, table);
    sortable(table);
  });
  var closed = [];
  window.addEventListener("beforeprint", function () {
    if (!root.hasAttribute("data-paper")) return;
    closed = Array.prototype.filter.call(document.querySelectorAll("details"), function (d) { return !d.open; });
    closed.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () {
    closed.forEach(function (d) { d.open = false; });
    closed = [];
  });
})();
"""
