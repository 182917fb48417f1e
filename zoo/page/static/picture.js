// Accuracy over a cost: what fits in colour, the front drawn through it, and the answer marked.
"use strict";
earshot.picture = (function () {
  const { drawn } = earshot;
  const WIDTH = 720,
    HEIGHT = 380,
    LEFT = 58,
    RIGHT = 16,
    TOP = 14,
    BOTTOM = 46;

  function scale(values, low, high) {
    const log = values.every((value) => value > 0);
    const as = log ? Math.log : (value) => value;
    const [least, most] = [Math.min(...values), Math.max(...values)].map(as);
    const span = most - least || 1;
    return {
      log,
      least: Math.min(...values),
      most: Math.max(...values),
      at: (value) => low + (0.04 + 0.92 * ((as(value) - least) / span)) * (high - low),
    };
  }

  function ticks({ least, most, log }) {
    if (!log) return [0, 0.25, 0.5, 0.75, 1].map((share) => least + share * (most - least));
    const found = [];
    for (let power = Math.floor(Math.log10(least)); power <= Math.log10(most); power += 1) {
      for (const step of [1, 2, 5]) found.push(step * 10 ** power);
    }
    const inside = found.filter((value) => value >= least && value <= most),
      every = Math.ceil(inside.length / 6);
    return inside.length > 1 ? inside.filter((_, place) => place % every === 0) : [least, most];
  }

  function axes(x, y, head) {
    const base = HEIGHT - BOTTOM,
      made = [drawn("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: base, y2: base, class: "axis" })];
    for (const value of ticks(x)) {
      made.push(drawn("text", { x: x.at(value), y: base + 17, class: "middle" }, earshot.short(value)));
    }
    for (let step = 0; step <= 4; step += 1) {
      const value = y.least + (step / 4) * (y.most - y.least),
        place = y.at(value);
      made.push(drawn("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: place, y2: place, class: "grid" }));
      made.push(drawn("text", { x: LEFT - 6, y: place + 4, class: "end" }, `${(100 * value).toFixed(1)}%`));
    }
    return [...made, drawn("text", { x: WIDTH / 2, y: HEIGHT - 6, class: "middle" }, head)];
  }

  // Of the models that fit, those of which none is better at no more cost.
  function front(points) {
    let best = -1;
    return [...points]
      .filter((point) => point.fits)
      .sort((one, other) => one.cost - other.cost || other.share - one.share)
      .filter((point) => point.share > best && ((best = point.share), true));
  }

  function dot(point, x, y, chosen) {
    const about = `${point.model.name}: ${earshot.percent(point.share)} for ${earshot.short(point.cost)}`;
    const made = drawn(
      "a",
      { href: earshot.answer.address(point.model), tabindex: -1 },
      drawn(
        "circle",
        {
          cx: x.at(point.cost),
          cy: y.at(point.share),
          r: chosen ? 6 : 4,
          class: chosen ? "chosen" : point.fits ? "fits" : "other",
        },
        drawn("title", {}, about),
      ),
    );
    return made;
  }

  function limitLine(x, limit) {
    if (limit === null || !(limit > 0) || limit < x.least || limit > x.most) return [];
    return [drawn("line", { x1: x.at(limit), x2: x.at(limit), y1: TOP, y2: HEIGHT - BOTTOM, class: "limit" })];
  }

  // points: {model, cost, share, fits, place}. limit: on the cost, or null.
  function draw(box, points, head, chosen, limit) {
    const known = points.filter((point) => typeof point.cost === "number");
    if (!known.length) {
      box.replaceChildren(earshot.element("p", {}, "No model here has this figure."));
      return;
    }
    const x = scale(
      known.map((point) => point.cost),
      LEFT,
      WIDTH - RIGHT,
    );
    const shares = known.map((point) => point.share);
    const y = { ...scale(shares, HEIGHT - BOTTOM, TOP), log: false };
    const [least, span] = [y.least, y.most - y.least || 1];
    y.at = (value) => HEIGHT - BOTTOM - (0.04 + 0.92 * ((value - least) / span)) * (HEIGHT - BOTTOM - TOP);
    const fronted = front(known);
    const line = fronted.map((point) => `${x.at(point.cost)},${y.at(point.share)}`).join(" ");
    const order = [...known].sort(
      (one, other) =>
        Number(one.fits) - Number(other.fits) || Number(one.place === chosen) - Number(other.place === chosen),
    );
    const fitting = known.filter((point) => point.fits).length;
    const fit = `${fitting} of ${known.length} models fit, ${fronted.length} on the front`;
    const about = `Accuracy on validation over ${head}: ${fit}. The table below has all figures.`;
    box.replaceChildren(
      drawn(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": about },
        ...axes(x, y, head),
        ...limitLine(x, limit),
        drawn("polyline", { points: line, class: "front" }),
        ...order.map((point) => dot(point, x, y, point.place === chosen)),
      ),
    );
  }

  return { draw, front };
})();
