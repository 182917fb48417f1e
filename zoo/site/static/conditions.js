// The conditions of a look-up, one a limit, as zoo/ask/limits.py makes them: by how much each model misses, relative.
"use strict";
earshot.conditions = (function () {
  const MIXED = "mixed",
    MEASURED = "measured",
    NEVER = ["_unknown_", "_silence_"];
  const { units } = earshot;

  class Unknown extends Error {}

  const limitOf = (name) => earshot.data.limits.find((limit) => limit.name === name);

  function atMost(name, value) {
    const limit = limitOf(name),
      most = units[limit.reads](name, value);
    return {
      name,
      limit: most,
      value: (model) => model[limit.field],
      excess: (model) => model[limit.field] / most - 1,
    };
  }

  // A share rounded to 0.01 %, where that is more than it is.
  function asPrinted(share) {
    return Math.max(share, units.scaled(share, 4));
  }

  // Accuracies as they are printed; one that is only predicted keeps no promise.
  function atLeast(name, value) {
    const least = units.share(name, value),
      wanted = units.rounded(least, 6);
    const excess = (model) => {
      const known = model.basis === MEASURED ? asPrinted(model.validation) : 0;
      return known < wanted ? (least - known) / (least || 1) : 0;
    };
    return { name, limit: least, value: (model) => (model.basis === MEASURED ? model.validation : 0), excess };
  }

  function quiet(name, value, query) {
    const most = units.anHour(name, value);
    const field = query.unproven ? "false_alarms_per_hour" : "false_alarms_upper";
    const excess = (model) => (model[field] === null ? Infinity : (model[field] - most) / (most || 1));
    return { name, limit: most, value: (model) => model[field], excess, remedy: earshot.data.measure };
  }

  function finding(name, value) {
    const least = units.share(name, value),
      wanted = units.rounded(least, 6);
    const excess = (model) => {
      if (model.detection_recall === null) return Infinity;
      const known = asPrinted(model.detection_recall);
      return known < wanted ? (least - known) / (least || 1) : 0;
    };
    return { name, limit: least, value: (model) => model.detection_recall, excess, remedy: earshot.data.measure };
  }

  function bitsOf(name, value) {
    if (value === MIXED) return MIXED;
    const bits = /^[1-8]$/.test(String(value)) ? Number(value) : null;
    if (bits === null) throw new units.Invalid(name, value, `a whole number from 1 to 8, or '${MIXED}'`);
    return bits;
  }

  function exactly(name, value) {
    const bits = bitsOf(name, value);
    const excess = (model) => {
      const own = model[name];
      return own === MIXED || bits === MIXED ? Number(own !== bits) : Math.abs(own - bits) / bits;
    };
    return { name, limit: bits, value: (model) => model[name], excess };
  }

  function like(name, pattern) {
    const words = [...new Set(earshot.data.models.map((model) => model[name]))];
    const fits = earshot.like(words, pattern, true),
      fitting = new Set(words.filter((_, place) => fits[place]));
    if (!fitting.size) throw new Unknown(`no model of ${name} '${pattern}'; there are ${words.sort().join(", ")}`);
    return {
      name,
      limit: pattern,
      value: (model) => model[name],
      excess: (model) => Number(!fitting.has(model[name])),
      word: true,
    };
  }

  function knows(name, words) {
    const asked = [...new Set([words].flat())];
    if (!asked.length || asked.some((word) => !word)) {
      throw new units.Invalid(name, asked.join(", "), "one word or more, such as stop, left");
    }
    const own = asked.filter((word) => NEVER.includes(word)).sort();
    if (own.length) throw new units.Invalid(name, own[0], "words alone: that is answered beside them anyway");
    const known = new Set(earshot.data.models.flatMap((model) => model.labels));
    for (const word of asked) if (!known.has(word)) throw new Unknown(`no model knows the word '${word}'`);
    const said = (model) => asked.filter((word) => model.labels.includes(word));
    return {
      name,
      limit: asked.join(", "),
      value: (model) => said(model).join(", ") || "none",
      excess: (model) => 1 - said(model).length / asked.length,
      word: true,
    };
  }

  const whether = (field, found) => (name, wanted) => ({
    name,
    limit: wanted,
    value: (model) => model[field],
    excess: (model) => Number(found(model) !== wanted),
    word: true,
  });

  const makers = {
    min_accuracy: atLeast,
    max_false_alarms: quiet,
    min_recall: finding,
    bits: exactly,
    activation_bits: exactly,
    words: knows,
    family: like,
    licence: like,
    dataset: like,
    commercial: whether("licence", (model) => !model.non_commercial),
    streaming: whether("streamable", (model) => model.streamable),
  };

  const isGiven = (value) => value !== undefined && value !== null && value !== "";

  function of(query) {
    if (query.unproven && !isGiven(query.max_false_alarms)) {
      throw new units.Invalid("unproven", "True", "max_false_alarms as well: it says by which figure that is kept");
    }
    return earshot.data.order
      .filter((name) => isGiven(query[name]))
      .map((name) => (makers[name] || atMost)(name, query[name], query));
  }

  // That a model takes no more than the best one and is as good within noise.
  function cheaperWithin(best, low) {
    const least = Math.min(low, best.validation);
    const near = (model) =>
      model.task === best.task &&
      model.dataset === best.dataset &&
      model.basis === MEASURED &&
      model.validation >= least &&
      earshot.data.cheaper_by.every((field) => model[field] <= best[field]);
    return {
      name: "cheaper",
      limit: low,
      value: (model) => model.validation,
      excess: (model) => 1 - Number(near(model)),
    };
  }

  return { MEASURED, Unknown, cheaperWithin, isGiven, limitOf, makers, of };
})();
