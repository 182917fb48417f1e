// The models as a table, sorted by any column; as many rows as can be read, the others on demand.
"use strict";
earshot.table = (function () {
  const { element, byId } = earshot;
  const FEW = 100;
  const state = { column: "", down: false, others: false, all: false };
  let shown = null;

  function columns(device) {
    const found = earshot.data.columns.filter((one) => one.name !== "name");
    const there = device
      ? earshot.data.on_device.filter((one) =>
          device.rows.some((row) => row && row[earshot.data.taken.indexOf(one.name)] !== null),
        )
      : [];
    return [
      { name: "name", head: "name", words: true },
      ...found,
      ...there.filter((one) => earshot.data.taken.includes(one.name)).map((one) => ({ ...one, there: true })),
    ];
  }

  function value(column, place, device) {
    if (!column.there) return earshot.data.models[place][column.name];
    const row = device.rows[place];
    return row ? row[earshot.data.taken.indexOf(column.name)] : null;
  }

  // Those of equal values stay best first, those without one come last; numbers before words.
  function sorted(places, column, device) {
    if (!column) return places;
    const sign = state.down ? -1 : 1;
    const compare = (one, other) => {
      if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
      return one < other ? -1 : one > other ? 1 : 0;
    };
    const values = new Map(places.map((place) => [place, value(column, place, device)]));
    const without = (place) => values.get(place) === null || values.get(place) === undefined;
    const known = places.filter((place) => !without(place));
    known.sort((one, other) => sign * compare(values.get(one), values.get(other)) || one - other);
    return [...known, ...places.filter(without)];
  }

  function head(column) {
    const order = state.column === column.name ? (state.down ? "descending" : "ascending") : "none";
    const unit = column.there && column.unit ? ` ${column.unit}` : "";
    const button = element("button", { type: "button", "data-column": column.name }, column.head + unit);
    return element("th", { scope: "col", "aria-sort": order, class: column.words ? "" : "amount" }, button);
  }

  // Rows are made once for the columns; limits change their marks and order alone.
  let kept = { key: "", rows: new Map() };

  function rowOf(place, all, device) {
    const key = JSON.stringify([all.map((column) => column.name), device && device.profile]);
    if (kept.key !== key) kept = { key, rows: new Map() };
    if (!kept.rows.has(place)) kept.rows.set(place, made(place, all, device));
    return kept.rows.get(place);
  }

  function made(place, all, device) {
    const cells = all
      .slice(1)
      .map((column) =>
        element(
          "td",
          { class: column.words ? "" : "amount" },
          element("bdi", {}, earshot.shown(column, value(column, place, device))),
        ),
      );
    const mark = element("span", { class: "mark", hidden: true }, " best");
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, earshot.answer.link(earshot.data.models[place]), mark),
      ...cells,
    );
  }

  function marked(row, fits, best) {
    row.className = fits ? "fits" : "other";
    row.querySelector(".mark").hidden = !best;
    if (best) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    return row;
  }

  function draw(result, query, device) {
    shown = { result, query, device };
    const { models } = earshot.data,
      all = columns(device),
      fitting = new Set(result.places);
    const others = state.others
      ? models
          .map((_, place) => place)
          .filter((place) => !fitting.has(place) && (!query.task || models[place].task === query.task))
      : [];
    const column = all.find((one) => one.name === state.column);
    const places = sorted(
      column ? [...result.places, ...others].sort((one, other) => one - other) : [...result.places, ...others],
      column,
      device,
    );
    const seen = state.all ? places : places.slice(0, FEW);
    byId("head").replaceChildren(element("tr", {}, ...all.map(head)));
    byId("rows").replaceChildren(
      ...seen.map((place) => marked(rowOf(place, all, device), fitting.has(place), place === result.chosen)),
    );
    byId("caption").textContent =
      `${earshot.count(result.places.length)} of ${earshot.count(models.length)} models fit`;
    byId("more").hidden = seen.length === places.length;
    byId("more").textContent = `Show all ${earshot.count(places.length)}`;
  }

  function again() {
    if (shown) draw(shown.result, shown.query, shown.device);
  }

  function listen() {
    byId("head").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const name = button.dataset.column;
      state.down = state.column === name ? !state.down : false;
      state.column = name;
      again();
      byId("head")
        .querySelector(`button[data-column="${CSS.escape(name)}"]`)
        .focus();
    });
    byId("more").addEventListener("click", () => {
      state.all = true;
      again();
      byId("rows").querySelector("a").focus();
    });
    byId("others").addEventListener("input", () => {
      state.others = byId("others").checked;
      again();
    });
  }

  return { draw, listen };
})();
