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

  // What is drawn once for a cost and its models; limits change classes and lines alone, as 1,000 points take long.
  let built = null;

  function build(box, known, head) {
    const x = scale(
      known.map((point) => point.cost),
      LEFT,
      WIDTH - RIGHT,
    );
    const y = linear(known.map((point) => point.share));
    const circles = new Map(known.map((point) => [point.place, dot(point, x, y)]));
    const line = drawn("polyline", { class: "front" });
    const limit = drawn("line", { class: "limit", y1: TOP, y2: HEIGHT - BOTTOM });
    const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" }, ...axes(x, y, head), limit, line);
    svg.append(...circles.values());
    svg.addEventListener("click", (event) => {
      const place = event.target.dataset.place;
      if (place) location.href = earshot.answer.address(earshot.data.models[place]);
    });
    box.replaceChildren(svg);
    return { svg, circles, line, limit, x, y };
  }

  function linear(shares) {
    const [least, most] = [Math.min(...shares), Math.max(...shares)];
    const height = HEIGHT - BOTTOM - TOP;
    return {
      least,
      most,
      at: (share) => HEIGHT - BOTTOM - (0.04 + (0.92 * (share - least)) / (most - least || 1)) * height,
    };
  }

  function dot(point, x, y) {
    const about = `${point.model.name}: ${earshot.percent(point.share)} for ${earshot.short(point.cost)}`;
    const at = { cx: x.at(point.cost), cy: y.at(point.share), "data-place": point.place };
    return drawn("circle", at, drawn("title", {}, about));
  }

  function mark(circle, kind, size) {
    if (circle.getAttribute("class") !== kind) {
      circle.setAttribute("class", kind);
      circle.setAttribute("r", size);
    }
  }

  function markLimit({ limit, x }, value) {
    limit.toggleAttribute("hidden", value === null || !(value >= x.least && value <= x.most));
    if (!limit.hasAttribute("hidden")) for (const end of ["x1", "x2"]) limit.setAttribute(end, x.at(value));
  }

  // points: {model, cost, share, fits, place}. limit: on the cost, or null.
  function draw(box, points, head, chosen, limit) {
    const known = points.filter((point) => typeof point.cost === "number");
    const key = JSON.stringify([head, known.map((point) => [point.place, point.cost])]);
    if (!known.length) {
      built = null;
      box.replaceChildren(earshot.element("p", {}, "No model here has this figure."));
      return;
    }
    if (!built || built.key !== key) built = { ...build(box, known, head), key };
    const { svg, circles, line, x, y } = built;
    for (const point of known) {
      const kind = point.place === chosen ? "chosen" : point.fits ? "fits" : "other";
      mark(circles.get(point.place), kind, kind === "chosen" ? 6 : 4);
    }
    if (circles.has(chosen)) svg.append(circles.get(chosen));
    const fronted = front(known),
      fitting = known.filter((point) => point.fits).length;
    line.setAttribute("points", fronted.map((point) => `${x.at(point.cost)},${y.at(point.share)}`).join(" "));
    markLimit(built, limit);
    const fit = `${fitting} of ${known.length} models fit, ${fronted.length} on the front`;
    svg.setAttribute("aria-label", `Accuracy on validation over ${head}: ${fit}. The table below has all figures.`);
  }

  return { draw, front };
})();
